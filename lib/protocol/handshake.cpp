#include "protocol/handshake.hpp"

#include "protocol/envelope.hpp"
#include "protocol/versions.hpp"
#include "rpc/text.hpp"

#include <algorithm>

namespace mcp_pool::protocol {

namespace {

// `server/discover` may be sent again once after -32022, and once after -32022 on `initialize`.
constexpr unsigned max_discovers = 3;
// After which a server that says nothing at all is asked as a legacy one, whatever start_timeout is.
constexpr duration longest_silence = std::chrono::seconds(30);

constexpr std::size_t max_foreign = 300;

std::string discover_id(unsigned number)
{
    return "discover-" + std::to_string(number);
}

// "error -32602 (text)".
std::string describe(const rpc_error& error)
{
    return "error " + std::to_string(error.code) + " ("
        + rpc::escape_foreign(error.message, max_foreign) + ")";
}

json::object* object_member(json::object& from, std::string_view name) noexcept
{
    json::value* found = from.if_contains(json::string_view(name.data(), name.size()));
    return found ? found->if_object() : nullptr;
}

std::string string_member(const json::object& from, std::string_view name)
{
    const json::value* found = from.if_contains(json::string_view(name.data(), name.size()));
    const json::string* text = found ? found->if_string() : nullptr;
    return text ? std::string(text->data(), text->size()) : std::string();
}

// What both kinds of answers say in the same members.
void take_common(json::object& result, server_facts& facts)
{
    if (json::object* c = object_member(result, "capabilities"))
        facts.capabilities = std::move(*c);
    if (json::object* info = object_member(result, "serverInfo"))
        facts.server_info = std::move(*info);
    facts.instructions = string_member(result, "instructions");
}

} // namespace

handshake::handshake(handshake_settings settings)
    : settings_(std::move(settings))
{
    legacy_at_once_ = settings_.choice == era_choice::legacy
        || (settings_.choice == era_choice::auto_detect && settings_.learnt == era::legacy);
}

handshake handshake::after_exit(const handshake_settings& settings)
{
    handshake h(settings);
    h.legacy_at_once_ = true;
    return h;
}

std::string_view handshake::stage() const noexcept
{
    switch (state_) {
    case state::starting:
        return "waiting for the process to start";
    case state::discovering:
    case state::confirming:
        return "waiting for the answer to server/discover";
    case state::initializing:
        return "waiting for the answer to initialize";
    case state::over:
        break;
    }
    return "after the handshake";
}

era handshake::assumed_era() const noexcept
{
    const bool modern = state_ == state::confirming
        || (state_ == state::over && facts_.era == era::modern)
        || settings_.choice == era_choice::modern;
    return modern ? era::modern : era::legacy;
}

handshake::step handshake::started(time_point now)
{
    if (state_ != state::starting)
        return {};
    started_at_ = now;
    if (legacy_at_once_)
        return initialize();
    // A server that is known to be modern is not given up for being slow once.
    if (settings_.choice == era_choice::auto_detect && settings_.learnt != era::modern
        && settings_.silence_means_legacy)
        fall_back_at_ = detail::saturating_add(
            now, std::min(settings_.start_timeout / 2, longest_silence));
    return discover(offered_modern, state::discovering);
}

void handshake::first_output(time_point now)
{
    if (state_ != state::discovering || fall_back_at_ == time_point::max())
        return;
    // The clock starts when there is somebody to answer: a cold `npx` downloads for a minute first.
    // Enough of the start is left for `initialize`.
    fall_back_at_ = std::min(detail::saturating_add(now, settings_.era_timeout),
        detail::saturating_add(started_at_, settings_.start_timeout / 4 * 3));
}

handshake::step handshake::tick(time_point now)
{
    if (now < fall_back_at_ || state_ != state::discovering)
        return {};
    // Silence means legacy; an answer that comes after all is dropped.
    return initialize();
}

handshake::step handshake::end_of_output()
{
    // `rmcp` before 3.0 exits on any first request but `initialize` and `ping`. No verdict on a
    // server that is known to be modern: there it is a crash.
    if (state_ == state::discovering && settings_.choice == era_choice::auto_detect
        && settings_.learnt != era::modern) {
        state_ = state::over;
        fall_back_at_ = time_point::max();
        step s;
        s.next = outcome::respawn_as_legacy;
        return s;
    }
    return fail(errc::start_failed, "the process ended while " + std::string(stage()));
}

handshake::step handshake::answer(rpc::message&& m, time_point)
{
    if (m.type != rpc::message::kind::result && m.type != rpc::message::kind::error)
        return {};
    switch (state_) {
    case state::discovering:
    case state::confirming: {
        const std::string expected = discover_id(discovers_);
        if (m.id.is_string() && m.id.get_string() == expected)
            return on_discover_answer(std::move(m));
        break;
    }
    case state::initializing:
        if (m.integer_id() == initialize_id)
            return on_initialize_answer(std::move(m));
        break;
    case state::starting:
    case state::over:
        break;
    }
    return {};
}

handshake::step handshake::on_discover_answer(rpc::message&& m)
{
    const era_verdict verdict = judge_discover_answer(m);
    const std::string what = m.type == rpc::message::kind::error
        ? describe(m.error)
        : "a result without modern versions";
    return on_verdict(verdict, std::move(m.content), what);
}

handshake::step handshake::judged(const era_verdict& verdict, std::string_view what)
{
    if ((state_ != state::discovering && state_ != state::confirming)
        || verdict.type == era_verdict::kind::modern)
        return {};
    return on_verdict(verdict, nullptr, what);
}

handshake::step handshake::on_verdict(
    const era_verdict& verdict, json::value&& result, std::string_view what)
{
    switch (verdict.type) {
    case era_verdict::kind::modern:
        return become_modern(verdict, std::move(result));
    case era_verdict::kind::modern_retry:
        if (state_ == state::confirming || discovers_ >= max_discovers)
            return fail(errc::unsupported_version,
                "it refuses protocol version " + verdict.version + ", which it says it supports");
        return discover(verdict.version, state::confirming);
    case era_verdict::kind::no_common_version:
        return fail(errc::unsupported_version,
            "it speaks only protocol versions " + verdict.offered + ", none of which we know",
            true);
    case era_verdict::kind::legacy:
        break;
    }
    if (settings_.choice == era_choice::modern)
        return fail(errc::unsupported_version,
            "it answered server/discover with " + std::string(what)
                + ", so it is of the legacy era; set `era` to auto or legacy",
            true);
    if (state_ == state::confirming)
        return fail(
            errc::start_failed, "it answered the second server/discover with " + std::string(what));
    return initialize();
}

handshake::step handshake::on_initialize_answer(rpc::message&& m)
{
    if (m.type == rpc::message::kind::error) {
        // A slow modern server was taken for a legacy one, or an old verdict is wrong.
        if (is_modern_refusal(m.error)) {
            const era_verdict verdict = judge_modern_refusal(m.error);
            if (settings_.choice == era_choice::legacy)
                return fail(errc::unsupported_version,
                    "it speaks only the modern era; set `era` to auto or modern", true);
            if (verdict.type == era_verdict::kind::modern_retry && discovers_ < max_discovers)
                return discover(verdict.version, state::confirming);
            return fail(errc::unsupported_version,
                "it answered initialize with " + describe(m.error), true);
        }
        return fail(errc::start_failed, "it answered initialize with " + describe(m.error));
    }
    json::object* result = m.content.if_object();
    if (!result)
        return fail(errc::start_failed, "its answer to initialize is no JSON object");
    std::string version = string_member(*result, "protocolVersion");
    if (!is_supported(version, era::legacy))
        return fail(errc::unsupported_version,
            "it answered initialize with protocol version \""
                + rpc::escape_foreign(version, max_foreign) + "\", which we do not know",
            true);
    state_ = state::over;
    take_common(*result, facts_);
    facts_.era = era::legacy;
    facts_.version = std::move(version);
    step s;
    s.next = outcome::ready;
    s.line = initialized_line();
    s.method = "notifications/initialized";
    s.version = facts_.version;
    return s;
}

handshake::step handshake::become_modern(const era_verdict& verdict, json::value&& content)
{
    state_ = state::over;
    fall_back_at_ = time_point::max();
    // The verdict was drawn from an object.
    json::object& result = content.get_object();
    take_common(result, facts_);
    // The specification has it in `_meta`; some servers still put it into the result itself.
    if (json::object* meta = object_member(result, "_meta"))
        if (json::object* info = object_member(*meta, "io.modelcontextprotocol/serverInfo"))
            facts_.server_info = std::move(*info);
    facts_.era = era::modern;
    facts_.version = verdict.version;
    step s;
    s.next = outcome::ready;
    return s;
}

handshake::step handshake::discover(std::string_view version, state next)
{
    state_ = next;
    if (next == state::confirming)
        fall_back_at_ = time_point::max();
    step s;
    const std::string id = discover_id(++discovers_);
    s.line = discover_line(id, version, settings_.capabilities);
    s.method = "server/discover";
    s.id = json::string_view(id.data(), id.size());
    s.era = era::modern;
    s.version = version;
    return s;
}

handshake::step handshake::initialize()
{
    state_ = state::initializing;
    fall_back_at_ = time_point::max();
    step s;
    s.line = initialize_line(initialize_id, offered_legacy, settings_.capabilities);
    s.method = "initialize";
    s.id = initialize_id;
    return s;
}

handshake::step handshake::fail(errc code, std::string text, bool permanent)
{
    if (state_ == state::over)
        return {};
    state_ = state::over;
    fall_back_at_ = time_point::max();
    failure_.code = code;
    failure_.text = std::move(text);
    failure_.permanent = permanent;
    step s;
    s.next = outcome::failed;
    return s;
}

} // namespace mcp_pool::protocol
