// Sessions of a server that asks and reports, handlers that answer, and who holds the lease.
#pragma once

#include "support/talk.hpp"

#include <mcp_pool/handlers.hpp>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json/parse.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace mcp_pool::test {

// What one call of a handler was given.
struct asked
{
    request_context of;
    json::object params;

    asked() = default;
};

// Handlers that write down what they are given.
struct witness
{
    std::vector<asked> sampling, form, url, roots;
    // Handlers that wait until they are cancelled, and how many were.
    std::size_t waiting = 0, cancelled = 0;

    [[nodiscard]] std::size_t calls() const
    {
        return sampling.size() + form.size() + url.size() + roots.size() + waiting;
    }
};

inline json::value parsed(std::string_view text)
{
    return json::parse(json::string_view(text.data(), text.size()));
}

// A handler that answers at once; `seen` lives as long as it.
inline request_handler answering_with(std::vector<asked>& seen, std::string text)
{
    return [&seen, answer = std::move(text)](
               request_context of, json::object params) -> asio::awaitable<json::value> {
        seen.emplace_back();
        seen.back().of = std::move(of);
        seen.back().params = std::move(params);
        co_return parsed(answer);
    };
}

// A handler that never answers, and knows whether it was cancelled.
inline request_handler waiting_for_ever(witness& seen)
{
    return [&seen](request_context, json::object) -> asio::awaitable<json::value> {
        ++seen.waiting;
        asio::steady_timer never(co_await asio::this_coro::executor, std::chrono::hours(1));
        try {
            co_await never.async_wait(asio::use_awaitable);
        } catch (const boost::system::system_error&) {
            ++seen.cancelled;
            throw;
        }
        co_return nullptr;
    };
}

// A handler that throws what `raise` throws.
inline request_handler throwing(std::function<void()> raise)
{
    return
        [raise = std::move(raise)](request_context, json::object) -> asio::awaitable<json::value> {
            raise();
            co_return nullptr;
        };
}

inline constexpr std::string_view sampled =
    R"({"role":"assistant","model":"m","content":{"type":"text","text":"yes"}})";

// All kinds, each answered at once.
inline std::shared_ptr<client_handlers> all_handlers(witness& seen)
{
    auto h = std::make_shared<client_handlers>();
    h->sampling = answering_with(seen.sampling, std::string(sampled));
    h->elicit_form = answering_with(seen.form, R"({"action":"accept"})");
    h->elicit_url = answering_with(seen.url, R"({"action":"accept"})");
    h->roots = answering_with(seen.roots, R"({"roots":[]})");
    return h;
}

// Only `roots`.
inline std::shared_ptr<client_handlers> roots_handler(request_handler f)
{
    auto h = std::make_shared<client_handlers>();
    h->roots = std::move(f);
    return h;
}

// Lends a grant to somebody with this key, and himself as the context. Keep what it returns as long as
// the lease.
inline void lend_to(rig& r, const std::string& who, std::size_t grant = 0)
{
    r.state->grant(grant).context = std::make_shared<detail::lessee>(
        r.context.get_executor(), who, std::make_shared<std::string>(who));
    r.lend(grant);
}

// As the pool does: the lease ends, and what it has changed is undone if there is anything.
inline bool give_back(rig& r, std::size_t grant = 0)
{
    r.release(grant);
    r.state->grant(grant).context.reset();
    const bool dirty = r.state->grant(grant).dirty();
    if (dirty)
        r.io->reset(grant);
    return dirty;
}

inline std::string name_in(const request_context& of)
{
    return of.context ? *std::static_pointer_cast<std::string>(of.context) : "nobody";
}

inline std::string question(std::string_view id, std::string_view method, std::string_view params)
{
    return R"({"jsonrpc":"2.0","id":")" + std::string(id) + R"(","method":")" + std::string(method)
        + R"(","params":)" + std::string(params) + "}";
}

inline std::string report(std::string_view method, std::string_view params = "{}")
{
    return R"({"jsonrpc":"2.0","method":"notifications/)" + std::string(method) + R"(","params":)"
        + std::string(params) + "}";
}

inline constexpr std::string_view form_params =
    R"({"message":"who?","requestedSchema":{"type":"object",)"
    R"("properties":{"name":{"type":"string","default":"Ada"}}}})";
inline constexpr std::string_view url_params =
    R"({"mode":"url","message":"go","url":"https://example.com/","elicitationId":"e"})";
inline constexpr std::string_view sampling_params = R"({"messages":[],"maxTokens":10})";

// A call that the server holds until server.release().
inline std::shared_ptr<outcome> held_call(rig& r, std::size_t grant = 0)
{
    const std::size_t before = r.server.held();
    auto out = r.call_of(grant, "tools/call", with_message("x"));
    r.until([&] { return r.server.held() == before + 1; });
    return out;
}

// The answer that the server received to its question with this id; waits for it.
inline json::object answer_to(
    rig& r, std::string_view id, std::source_location place = std::source_location::current())
{
    json::object found;
    const auto came = [&] {
        for (const json::object& a : r.server.answers())
            if (a.at("id").is_string()
                && a.at("id").get_string() == json::string_view(id.data(), id.size())) {
                found = a;
                return true;
            }
        return false;
    };
    r.until(came, place);
    return found;
}

// The code of the error that the server received, 0 for a result.
inline std::int64_t code_in(const json::object& answer)
{
    return answer.contains("error") ? answer.at("error").at("code").as_int64() : 0;
}

} // namespace mcp_pool::test
