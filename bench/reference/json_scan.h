/* Finding members of a JSON object in one pass, without building anything. For input that is known
 * to be JSON: what is malformed is not found, never read out of bounds. */
#ifndef MCP_POOL_JSON_SCAN_H
#define MCP_POOL_JSON_SCAN_H

#include <stddef.h>
#include <string.h>

/* A piece of someone else's text. */
struct json_slice
{
    const char* begin; /* NULL: not found */
    size_t size;
};

/* Returns the end of the string whose opening quote is at `p`, past its closing quote. */
static inline const char* json_string_end(const char* p, const char* end)
{
    for (++p; p < end; ++p) {
        if (*p == '\\') {
            ++p;
        } else if (*p == '"') {
            return p + 1;
        }
    }
    return end;
}

static inline const char* json_skip_space(const char* p, const char* end)
{
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n')) {
        ++p;
    }
    return p;
}

/* Returns the end of the value that begins at `p`. */
static inline const char* json_value_end(const char* p, const char* end)
{
    int depth = 0;
    while (p < end) {
        switch (*p) {
        case '"':
            p = json_string_end(p, end);
            if (depth == 0) {
                return p;
            }
            continue;
        case '{':
        case '[':
            ++depth;
            break;
        case '}':
        case ']':
            if (depth == 0) {
                return p;
            }
            if (--depth == 0) {
                return p + 1;
            }
            break;
        case ',':
        case ' ':
        case '\t':
        case '\r':
        case '\n':
            if (depth == 0) {
                return p;
            }
            break;
        default:
            break;
        }
        ++p;
    }
    return end;
}

/* Finds the values of `count` members of the object that begins at `p`; stops when all are found.
 * Strings keep their quotes. Members of nested objects are never mistaken for them. */
static inline void json_members(
    const char* p, const char* end, const char* const* names, struct json_slice* values, int count)
{
    int missing = count;
    memset(values, 0, sizeof *values * (size_t)count);
    p = json_skip_space(p, end);
    if (p == end || *p != '{') {
        return;
    }
    ++p;
    while (missing > 0) {
        p = json_skip_space(p, end);
        if (p == end || *p != '"') {
            return;
        }
        const char* const name = p + 1;
        p = json_string_end(p, end);
        const size_t name_size = (size_t)(p - name) - 1;
        p = json_skip_space(p, end);
        if (p == end || *p != ':') {
            return;
        }
        p = json_skip_space(p + 1, end);
        const char* const value = p;
        p = json_value_end(p, end);
        for (int i = 0; i < count; ++i) {
            if (values[i].begin == NULL && strlen(names[i]) == name_size
                && memcmp(names[i], name, name_size) == 0) {
                values[i].begin = value;
                values[i].size = (size_t)(p - value);
                --missing;
            }
        }
        p = json_skip_space(p, end);
        if (p == end || *p != ',') {
            return;
        }
        ++p;
    }
}

static inline int json_is(struct json_slice value, const char* text)
{
    return value.begin != NULL && strlen(text) == value.size
        && memcmp(value.begin, text, value.size) == 0;
}

#endif
