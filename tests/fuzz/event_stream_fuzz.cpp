// Server-sent events in any pieces, beside a reading of the standard that takes the whole stream at
// once. The first two bytes say how the rest is cut and how large an event may be.
#include "demand.hpp"
#include "rpc/event_stream.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using mcp_pool::rpc::event_stream;

namespace {

struct outcome
{
    std::vector<std::pair<std::string, std::string>> events;
    std::optional<std::string> last_id;

    bool operator==(const outcome&) const = default;
};

// Source: WHATWG HTML, 9.2.5 and 9.2.6.
outcome read_at_once(std::string_view stream)
{
    outcome seen;
    if (stream.starts_with("\xef\xbb\xbf"))
        stream.remove_prefix(3);
    std::string data, type;
    bool has_data = false;
    std::optional<std::string> id;
    for (std::size_t end; (end = stream.find_first_of("\r\n")) != std::string_view::npos;) {
        const std::string_view line = stream.substr(0, end);
        stream.remove_prefix(end + (stream.substr(end).starts_with("\r\n") ? 2 : 1));
        if (line.empty()) {
            if (id)
                seen.last_id = id;
            if (!data.empty())
                seen.events.emplace_back(type, data);
            id.reset();
            data.clear();
            type.clear();
            has_data = false;
            continue;
        }
        const std::string_view name = line.substr(0, line.find(':'));
        std::string_view value = line.substr(std::min(name.size() + 1, line.size()));
        if (value.starts_with(' '))
            value.remove_prefix(1);
        if (name == "data") {
            if (std::exchange(has_data, true))
                data += '\n';
            data += value;
        } else if (name == "event") {
            type = value.substr(0, event_stream::max_field_bytes);
        } else if (name == "id"
            && value.substr(0, event_stream::max_field_bytes).find('\0')
                == std::string_view::npos) {
            id = value.size() > event_stream::max_field_bytes ? "" : value;
        }
    }
    return seen;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size)
{
    if (size < 2)
        return 0;
    const std::size_t piece = std::size_t{bytes[0]} + 1;
    const bool narrow = bytes[1] % 2 == 1;
    const std::size_t limit = narrow ? bytes[1] : size;
    const std::string_view stream(reinterpret_cast<const char*>(bytes) + 2, size - 2);

    event_stream parser(limit);
    outcome seen;
    for (std::size_t at = 0; at < stream.size(); at += piece) {
        // A copy of its own, so that a look beyond it is noticed.
        const std::vector<char> chunk(stream.begin() + static_cast<std::ptrdiff_t>(at),
            stream.begin() + static_cast<std::ptrdiff_t>(std::min(at + piece, stream.size())));
        parser.feed({chunk.data(), chunk.size()});
        while (const auto event = parser.next()) {
            demand(!event->data.empty() && event->data.size() <= limit);
            seen.events.emplace_back(event->type, event->data);
        }
        demand(parser.kept() <= limit + event_stream::max_field_bytes);
    }
    seen.last_id = parser.last_event_id();

    outcome expected = read_at_once(stream);
    if (parser.oversized()) {
        demand(narrow && parser.oversized_bytes() > limit && parser.kept() == 0);
        // Up to the event that was too large, all is the same.
        demand(seen.events.size() <= expected.events.size());
        expected.events.resize(seen.events.size());
        expected.last_id = seen.last_id;
    }
    demand(seen == expected);
    return 0;
}
