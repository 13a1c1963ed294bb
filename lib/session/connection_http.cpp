// What only happens over HTTP, where each message is a request of its own: messages that say whose they
// are, requests that fail while the session goes on, and sessions that the server forgets.
#include "protocol/listing.hpp"
#include "protocol/versions.hpp"
#include "session/connection_driver.hpp"

#include <algorithm>
#include <utility>

namespace mcp_pool::detail {

namespace {

// How long a forgotten session may take to be initialised again where start_timeout is no limit.
constexpr duration longest_reopening = std::chrono::seconds(60);

errc start_errc(const error_code& code) noexcept
{
    for (const errc kept :
        {errc::unauthorized, errc::resource_exhausted, errc::unsupported_version})
        if (code == kept)
            return kept;
    return errc::start_failed;
}

} // namespace

void connection_driver::on_message(
    rpc::message&& m, std::string_view text, std::optional<std::int64_t> about)
{
    const auto keep = self();
    reading_ = text;
    about_ = about;
    take_message(std::move(m));
    about_.reset();
    reading_ = {};
    deliver_again();
}

void connection_driver::on_repaired(std::uint64_t sequences)
{
    server_->replaced_sequences.fetch_add(sequences, std::memory_order_relaxed);
}

void connection_driver::on_verdict(const protocol::era_verdict& verdict, std::string_view what)
{
    const auto keep = self();
    if (phase_ == phase::starting)
        act_on(handshake_->judged(verdict, what));
}

void connection_driver::on_request_failed(const json::value& id, transport::request_failure why)
{
    const auto keep = self();
    if (phase_ == phase::starting) {
        fail_start_of(std::move(why));
        return;
    }
    const std::int64_t* const number = id.if_int64();
    // What is sent then has the id of no other request, or none.
    if (phase_ == phase::reopening && (!number || *number == protocol::initialize_id)) {
        failure_ = std::move(why.text);
        reopened();
        return;
    }
    if (phase_ != phase::ready && phase_ != phase::reopening)
        return;
    const auto pool = number ? nullptr : events_.lock();
    if (number && !own_request_failed(*number, why))
        request_failed(*number, why);
    if (pool)
        pool->on_warning(*state_, why.text);
    if (phase_ != phase::ready)
        return;
    if (why.session_lost && may_reopen())
        reopen();
    else if (why.session_lost || why.unreachable)
        break_session(errc::session_closed, std::move(why.text), acquire_again, broken_cause::died);
    else
        pump();
}

void connection_driver::note_tools(const request_op& op, json::value& result)
{
    if (op.request.method != "tools/list" || envelope_->speaks() != era::modern)
        return;
    // Whoever asks by the method's name gets what the server said.
    std::vector<std::string> dropped = server_->tools.learn(result, op.request.typed);
    const auto pool = events_.lock();
    for (std::string& reason : dropped)
        if (pool)
            pool->on_warning(*state_, std::move(reason));
}

bool connection_driver::lists_again(request_op* op, const rpc::message& m)
{
    if (m.type != rpc::message::kind::error || m.error.code != protocol::header_mismatch
        || op->request.method != "tools/call" || op->sent_again
        || !op->grant->leased(op->generation) || phase_ != phase::ready)
        return false;
    // The tool wants header fields that are not known, or not any more.
    server_->results.discard_list("tools/list", clock::now());
    op->sent_again = true;
    queue_.push_front(op);
    if (!relisting_) {
        relisted_pages_ = 0;
        list_tools_again({});
    }
    return true;
}

void connection_driver::list_tools_again(json::object params)
{
    constexpr std::string_view method = "tools/list";
    relisting_ = state_->next_request_id();
    relist_until_ = after(clock::now(), server_->options.call_timeout);
    wake_at(relist_until_);
    send(envelope_->request(*relisting_, method, params, {}, false), method, *relisting_, &params);
}

bool connection_driver::on_tools_listed(std::int64_t id, rpc::message& m)
{
    if (id != relisting_)
        return false;
    relisting_.reset();
    if (m.type == rpc::message::kind::result) {
        server_->tools.learn(m.content, false);
        json::object* const result = m.content.if_object();
        json::value* const next = result ? result->if_contains("nextCursor") : nullptr;
        if (next && next->is_string() && ++relisted_pages_ < protocol::listing_limits().pages) {
            json::object params;
            params["cursor"] = std::move(*next);
            list_tools_again(std::move(params));
            return true;
        }
    }
    pump();
    return true;
}

void connection_driver::fail_start_of(transport::request_failure why)
{
    report_failed_start(
        start_errc(why.code), std::string(handshake_->stage()) + ": " + why.text, false);
}

bool connection_driver::own_request_failed(std::int64_t id, const transport::request_failure& why)
{
    if (listen_failed(id, why))
        return true;
    if (id == relisting_) {
        relisting_.reset();
        return true;
    }
    const own_request failed = take_own(id);
    switch (failed.what) {
    case own_request::kind::none:
        return false;
    case own_request::kind::baseline:
        break;
    case own_request::kind::health_probe:
        // A server that wants other credentials is alive. Of any other failure the pool learns by the
        // silence, or by what breaks the session.
        if (const auto pool = events_.lock(); pool && why.code == errc::unauthorized)
            pool->on_probe_done(*state_);
        break;
    case own_request::kind::reset:
        fail_reset(failed.grant, "what the lease has left cannot be settled: " + why.text);
        break;
    }
    return true;
}

void connection_driver::request_failed(std::int64_t id, const transport::request_failure& why)
{
    protocol::pending_request request;
    bool counted = false;
    switch (table_.take(id, request, counted)) {
    case protocol::answer_match::pending:
        break;
    case protocol::answer_match::late:
        uncount(state_->grant(request.grant), counted ? 1 : 0);
        return;
    case protocol::answer_match::unknown:
        return;
    }
    request_op* const op = request.op;
    withdraw(op->grant->index);
    if (why.session_lost && !why.sent && may_reopen()) {
        queue_.push_front(op);
        return;
    }
    if (remembers(*op))
        leftovers_of(*op).answered(op->id, op->request, false);
    uncount(*op);
    finish(op, why.code, nullptr,
        explain(name_of(*op) + " failed: " + why.text
                + (why.sent ? "; it may have been executed" : "; it was not sent"),
            why.session_lost || why.unreachable ? acquire_again : std::string_view()));
}

bool connection_driver::may_reopen() const noexcept
{
    if (!reset_requests_.empty() || envelope_->speaks() != era::legacy)
        return false;
    // Nobody is given another session in place of the one in which he has done something.
    for (std::size_t grant = 0; grant != state_->grants(); ++grant)
        if (state_->grant(grant).leased(served_[grant]))
            return false;
    return true;
}

void connection_driver::reopen()
{
    phase_ = phase::reopening;
    failure_ = "it has forgotten the session, and did not take up a new one in time";
    const time_point now = clock::now();
    grace_until_ = after(now, std::min(settings_.start_timeout, longest_reopening));
    wake_at(grace_until_);
    protocol::handshake_settings again = settings_;
    again.choice = era_choice::legacy;
    handshake_.emplace(std::move(again));
    act_on(handshake_->started(now));
}

void connection_driver::reopened()
{
    grace_until_ = time_point::max();
    const protocol::server_facts facts = handshake_->take_facts();
    if (!handshake_->failure().text.empty())
        failure_ = handshake_->failure().text;
    handshake_.reset();
    phase_ = phase::ready;
    // What leases were told of their session holds on.
    if (facts.version == state_->info->protocol_version) {
        failure_.clear();
        set_baseline();
        pump();
        return;
    }
    if (!facts.version.empty())
        failure_ = "it has forgotten the session, and begins one of another protocol version";
    break_session(errc::session_closed, std::move(failure_), acquire_again, broken_cause::died);
}

} // namespace mcp_pool::detail
