// What is asked of results besides their value: their text, and that they match what a tool promises.
#include "rpc/message_text.hpp"
#include "rpc/text.hpp"
#include "session/connection_driver.hpp"

#include <mcp_pool/output_schema.hpp>

#include <utility>
#include <vector>

namespace mcp_pool::detail {

namespace {

// What the result of a call has to match; null if nothing.
const output_schema* promised_output(const request& what) noexcept
{
    return what.method == "tools/call" ? what.options.output.get() : nullptr;
}

} // namespace

std::string connection_driver::why_not_checked(const request& what)
{
    const output_schema* const output = promised_output(what);
    return output ? output->reason() : std::string();
}

std::string connection_driver::fault_of_output(const request& what, const json::value& result)
{
    constexpr std::size_t most_told = 5;
    const output_schema* const output = promised_output(what);
    const std::vector<schema_problem> problems = output ? output->check(result)
                                                        : std::vector<schema_problem>();
    std::string fault;
    for (std::size_t i = 0; i != problems.size() && i != most_told; ++i) {
        fault += i == 0 ? "it does not match the outputSchema of the tool: " : "; ";
        fault += problems[i].text;
        if (!problems[i].pointer.empty())
            fault += " (at " + problems[i].pointer + ')';
    }
    if (problems.size() > most_told)
        fault += "; and more";
    return fault;
}

std::string connection_driver::take_text(std::int64_t id, json::value& content) const
{
    const auto text = rpc::result_text(reading_, id);
    if (!text)
        return "its text is not known";
    // The tree first: it may take many times as much memory as the text.
    content = nullptr;
    if (rpc::is_utf8(*text)) {
        content = json::string_view(text->data(), text->size());
    } else {
        std::size_t counted_already = 0;
        content = rpc::repair_utf8(*text, counted_already);
    }
    return {};
}

void connection_driver::refuse_utf8()
{
    constexpr std::string_view what = "the server sent a message that is no UTF-8";
    constexpr std::string_view remedy = "mend the server, or set invalid_utf8 to replace";
    if (phase_ == phase::starting)
        report_failed_start(errc::start_failed, what, false);
    else if (phase_ == phase::ready)
        break_session(errc::protocol_error, std::string(what), remedy);
}

} // namespace mcp_pool::detail
