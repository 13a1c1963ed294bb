// A polite MCP server in small steps, which the modes of misbehaving-server take apart.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace misbehaving {

// One line from the client. The texts are JSON as it came; empty where a member is missing.
struct message
{
    std::string line;
    std::string id;
    // Without its quotes.
    std::string method;
    std::string params;
};

// Members of an object as JSON text, or nothing.
std::string member(std::string_view object, const char* name);

// `text` as a JSON string.
std::string quoted(std::string_view text);

// The conversation over standard input and output. Blocks; ends the program with status 0 when the
// input ends, unless a mode says otherwise.
class conversation
{
public:
    // Speak 2026-07-28 instead of 2025-11-25.
    bool modern = false;
    // The answer to tools/call; empty: its argument `message`.
    std::string call_text;
    // What ends each line.
    std::string line_end = "\n";

    // The next line; nothing at the end of the input.
    std::optional<message> next();

    // Answers politely until a request or notification `method` comes, which is returned
    // unanswered.
    message serve_until(std::string_view method);

    // Answers politely until the input ends.
    [[noreturn]] void serve();

    // Reads on and says no more.
    [[noreturn]] void swallow();

    // The polite answer; none to a notification.
    void answer(const message& to);
    // The polite answer as text, without a line end; empty for a notification.
    std::string answer_text(const message& to);

    void say(std::string_view line);
    void say_raw(std::string_view bytes);

private:
    std::string pending_;
};

// An answer with `result` as its result.
std::string result_line(const std::string& id, std::string_view result);

// An answer with an error.
std::string error_line(
    const std::string& id, int code, std::string_view message_text, std::string_view data = {});

// The result of a tool call that consists of one text.
std::string text_result(std::string_view text);

void write_all(int fd, std::string_view bytes);

} // namespace misbehaving
