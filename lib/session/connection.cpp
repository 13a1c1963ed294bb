// The life of a connection: start, handshake, death, end.
#include "rpc/text.hpp"
#include "session/connection_driver.hpp"

#include <boost/asio/strand.hpp>

#include <algorithm>
#include <utility>

namespace mcp_pool::detail {

namespace {

// A timer that is later than this fired in a process that stood still.
constexpr duration stall = std::chrono::milliseconds(250);

} // namespace

std::shared_ptr<connection> connection::make(asio::any_io_executor pool_executor,
    std::shared_ptr<server_state> server, std::shared_ptr<session_state> state,
    std::weak_ptr<connection_events> events)
{
    return std::make_shared<connection_driver>(
        std::move(pool_executor), std::move(server), std::move(state), std::move(events));
}

connection_driver::connection_driver(asio::any_io_executor pool_executor,
    std::shared_ptr<server_state> server, std::shared_ptr<session_state> state,
    std::weak_ptr<connection_events> events)
    : pool_executor_(std::move(pool_executor))
    , strand_(asio::make_strand(pool_executor_))
    , server_(std::move(server))
    , state_(std::move(state))
    , events_(std::move(events))
    , abilities_(abilities_of(server_->config.handlers.get()))
    , reader_(server_->options.invalid_utf8 == invalid_utf8_policy::replace ? rpc::bad_utf8::replace
                                                                            : rpc::bad_utf8::refuse)
    , table_(state_->grants())
    , leftovers_(state_->grants())
    , listeners_(state_->grants())
    , notices_(std::make_shared<notice_queue>(pool_executor_))
    , served_(state_->grants())
    , timer_(strand_)
{
    state_->has_handlers = server_->config.handlers != nullptr;
}

void connection_driver::let_go(std::shared_ptr<connection> last) noexcept
{
    // A copy: the strand must outlive the post, which moves its owner away.
    const transport::connection_strand strand = strand_;
    try {
        asio::post(strand, [last = std::move(last)] {});
    } catch (const std::exception&) {
        // No memory: the handler has gone here, and its share with it.
    }
}

connection_driver::~connection_driver()
{
    transport_.reset();
    note_buffered(0);
    // Whoever waits for these is not told: there is no executor left to tell it on.
    for (request_queue* queue : {&inbox_, &queue_, &undelivered_})
        while (request_op* op = queue->pop_front())
            op->destroy();
    for (const protocol::pending_request& request : table_.take_all())
        request.op->destroy();
    for (const round_trip& round : rounds_)
        if (round.where != round_trip::stage::sent)
            round.op->destroy();
    for (const subscribing& waiting : subscribing_)
        waiting.op->destroy();
}

void connection_driver::start()
{
    post([](connection_driver& c) {
        if (c.phase_ != phase::created)
            return;
        const pool_options& options = c.server_->options;
        c.settings_.choice = c.server_->config.era;
        c.settings_.capabilities = protocol::capabilities_json(c.abilities_);
        c.settings_.learnt = c.server_->known_era(clock::now());
        c.settings_.era_timeout = options.era_timeout;
        const duration timeout = c.server_->start_timeout.load(std::memory_order_relaxed);
        c.settings_.start_timeout = timeout > duration::zero() ? timeout : duration::max();
        c.settings_.silence_means_legacy = !c.is_http();
        c.handshake_.emplace(c.settings_);
        c.open_transport();
    });
}

void connection_driver::open_transport()
{
    phase_ = phase::starting;
    transport_ended_ = false;
    transport_ = server_->make_transport(strand_, *this);
    transport_->start();
    const std::lock_guard lock(kill_mutex_);
    kill_switch_ = transport_->kill_switch();
    if (killed_ && kill_switch_)
        kill_switch_();
}

void connection_driver::on_started(int pid)
{
    if (phase_ != phase::starting)
        return;
    pid_ = pid;
    started_at_ = std::chrono::system_clock::now();
    act_on(handshake_->started(clock::now()));
}

void connection_driver::on_start_failed(transport::start_failure why)
{
    const auto keep = self();
    transport_ended_ = true;
    if (phase_ == phase::starting) {
        phase_ = phase::over;
        failed_start failure;
        failure.code = why.code;
        failure.permanent = why.permanent;
        circumstances here;
        here.server = server_->config.name;
        failure.details = describe_start(
            here, why.message, garbage_, why.permanent ? std::string() : transport_->start_hints());
        failure.details.last_start_error = failure.details.message;
        if (const auto pool = events_.lock())
            pool->on_failed(*state_, std::move(failure));
    }
    post([](connection_driver& c) { c.announce_end(); });
}

void connection_driver::act_on(protocol::handshake::step step)
{
    if (!step.line.empty()) {
        transport::message_facts facts;
        facts.method = step.method;
        facts.id = std::move(step.id);
        facts.era = step.era;
        facts.version = step.version;
        note_buffered(transport_->send(std::move(step.line), facts));
    }
    if (phase_ == phase::reopening && step.next != protocol::handshake::outcome::pending)
        reopened();
    if (phase_ != phase::starting)
        return;
    switch (step.next) {
    case protocol::handshake::outcome::pending:
        wake_at(handshake_->deadline());
        break;
    case protocol::handshake::outcome::ready:
        become_ready();
        break;
    case protocol::handshake::outcome::failed: {
        const protocol::handshake_failure& f = handshake_->failure();
        report_failed_start(f.code, f.text, f.permanent);
        break;
    }
    case protocol::handshake::outcome::respawn_as_legacy:
        begin_respawn();
        break;
    }
}

void connection_driver::become_ready()
{
    phase_ = phase::ready;
    protocol::server_facts facts = handshake_->take_facts();
    handshake_.reset();
    envelope_.emplace(facts.era, facts.version, settings_.capabilities);
    const std::size_t usual = facts.era == era::legacy ? 1 : 64;
    max_in_flight_ = server_->options.max_requests_in_flight.value_or(usual);
    if (max_in_flight_ == 0)
        max_in_flight_ = static_cast<std::size_t>(-1);
    server_->learn_era(facts.era, clock::now());

    auto info = std::make_shared<session_info>();
    info->id = state_->id;
    info->server = server_->config.name;
    info->pid = pid_;
    info->started_at = started_at_;
    info->era = facts.era;
    info->protocol_version = std::move(facts.version);
    info->server_info = std::move(facts.server_info);
    info->capabilities = std::move(facts.capabilities);
    info->instructions = std::move(facts.instructions);
    state_->info = std::move(info);
    state_->pidfd = transport_->pidfd();
    set_baseline();
    begin_listening();
    if (const auto pool = events_.lock())
        pool->on_ready(*state_);
}

void connection_driver::begin_respawn()
{
    // The old process first: two processes of one server could lock each other out.
    phase_ = phase::respawning;
    note_buffered(0);
    write_deadline_ = time_point::max();
    if (transport_ended_) {
        post([](connection_driver& c) { c.finish_respawn(); });
        return;
    }
    transport_->stop(transport::stop_step::close_input);
    grace_until_ = after(clock::now(), server_->options.stop_grace);
    wake_at(grace_until_);
}

void connection_driver::finish_respawn()
{
    if (phase_ != phase::respawning)
        return;
    grace_until_ = time_point::max();
    transport_.reset();
    handshake_.emplace(protocol::handshake::after_exit(settings_));
    open_transport();
}

void connection_driver::on_first_output()
{
    if (phase_ == phase::starting) {
        handshake_->first_output(clock::now());
        wake_at(handshake_->deadline());
    }
}

void connection_driver::on_stderr_line(std::string line)
{
    // Scripted servers know no policy.
    if (server_->options.stderr != stderr_policy::log)
        return;
    if (const auto pool = events_.lock())
        pool->on_stderr_line(*state_, std::move(line));
}

void connection_driver::measure()
{
    post([](connection_driver& c) {
        const std::size_t bytes = c.transport_ ? c.transport_->resident_bytes() : 0;
        if (const auto pool = c.events_.lock())
            pool->on_measured(*c.state_, bytes);
    });
}

void connection_driver::on_end_of_output()
{
    const auto keep = self();
    if (phase_ == phase::starting) {
        const protocol::handshake::step step = handshake_->end_of_output();
        if (step.next != protocol::handshake::outcome::failed) {
            act_on(step);
            return;
        }
        const protocol::handshake_failure& f = handshake_->failure();
        fail_start_soon(f.code, f.text, f.permanent);
    } else if (phase_ == phase::ready) {
        begin_dying("the server closed its output");
    }
}

void connection_driver::on_write_failed(error_code code)
{
    const auto keep = self();
    note_buffered(0);
    write_deadline_ = time_point::max();
    // A start goes on until its output ends or its time is up: the answer may be on its way.
    if (phase_ == phase::ready)
        begin_dying("writing to the server failed (" + code.message() + ")");
}

void connection_driver::on_oversized_line(std::size_t bytes_so_far)
{
    const auto keep = self();
    const std::string what = "the server sent a message of more than "
        + std::to_string(server_->options.max_message_bytes) + " bytes ("
        + std::to_string(bytes_so_far) + " so far)";
    if (phase_ == phase::starting)
        report_failed_start(errc::start_failed, what, false);
    else if (phase_ == phase::ready)
        break_session(errc::message_too_large, what, "raise max_message_bytes or ask for less");
}

void connection_driver::on_ended(transport::end_report report)
{
    const auto keep = self();
    transport_ended_ = true;
    note_foreign_kill(report);
    end_ = std::move(report);
    note_buffered(0);
    write_deadline_ = time_point::max();
    switch (phase_) {
    case phase::starting:
        on_end_of_output();
        break;
    case phase::ready:
        begin_dying("the process ended");
        break;
    default:
        break;
    }
    // The transport is still on the stack: what ends it for good comes later.
    if (phase_ == phase::respawning)
        post([](connection_driver& c) { c.finish_respawn(); });
    else
        post([](connection_driver& c) { c.announce_end(); });
}

void connection_driver::wake_at(time_point when)
{
    // A timer that fires too early costs one wake-up in a while; setting it anew for every request
    // would cost a system call each.
    if (when >= armed_at_)
        return;
    armed_at_ = when;
    timer_.expires_at(when);
    timer_.async_wait([weak = weak_from_this()](error_code code) {
        const auto keep = code ? nullptr : weak.lock();
        if (keep)
            static_cast<connection_driver&>(*keep).on_timer();
    });
}

time_point connection_driver::next_deadline() const
{
    time_point next = std::min({grace_until_, write_deadline_, deliver_again_at_,
        relisting_ ? relist_until_ : time_point::max(), queue_.next_deadline(),
        table_.next_deadline(), next_round(), next_listening()});
    if (phase_ == phase::starting)
        next = std::min(next, handshake_->deadline());
    return next;
}

void connection_driver::on_timer()
{
    const time_point now = clock::now();
    const time_point meant = std::exchange(armed_at_, time_point::max());
    if (phase_ == phase::ended && undelivered_.empty())
        return;
    // A loop that was blocked (debugger, suspended container) has answers to read first.
    if (meant < now - stall && !std::exchange(stalled_, true)) {
        wake_at(now + std::chrono::milliseconds(1));
        return;
    }
    stalled_ = false;
    take_inbox();
    if (phase_ == phase::starting)
        act_on(handshake_->tick(now));
    if (now >= grace_until_) {
        grace_until_ = time_point::max();
        if (phase_ == phase::respawning)
            transport_->stop(transport::stop_step::kill);
        else if (phase_ == phase::failing)
            report_failed_start(failure_code_, failure_, failure_permanent_);
        else if (phase_ == phase::dying)
            fail_unanswered(failure_code_, failure_, acquire_again);
        else if (phase_ == phase::reopening)
            reopened();
    }
    if (now >= write_deadline_) {
        write_deadline_ = time_point::max();
        const std::string what = "the server does not read its input: nothing was taken within "
            + text_of(server_->options.write_timeout);
        if (phase_ == phase::starting)
            report_failed_start(errc::start_failed, what, false);
        else if (phase_ == phase::ready)
            break_session(errc::session_closed, what, acquire_again);
    }
    if (relisting_ && now >= relist_until_) {
        relisting_.reset();
        pump();
    }
    expire_requests(now);
    expire_rounds(now);
    expire_listening(now);
    deliver_again();
    wake_at(next_deadline());
}

} // namespace mcp_pool::detail
