// How a connection fails and ends.
#include "session/connection_driver.hpp"

#include <utility>

namespace mcp_pool::detail {

namespace {

// How long a failure waits for the exit status, which makes its message worth reading.
constexpr duration exit_status_grace = std::chrono::milliseconds(50);

} // namespace

void connection_driver::announce_end()
{
    if (phase_ == phase::ended || !transport_ended_)
        return;
    if (phase_ == phase::failing)
        report_failed_start(failure_code_, failure_, failure_permanent_);
    if (phase_ == phase::dying)
        fail_unanswered(failure_code_, failure_, acquire_again);
    phase_ = phase::ended;
    if (undelivered_.empty()) {
        timer_.cancel();
        armed_at_ = time_point::max();
    }
    if (const auto pool = events_.lock())
        pool->on_ended(*state_, end_);
}

void connection_driver::expire_start()
{
    post([](connection_driver& c) {
        if (c.phase_ == phase::respawning || c.phase_ == phase::starting)
            c.report_failed_start(errc::start_failed,
                "it did not become ready within " + text_of(c.settings_.start_timeout) + ": "
                    + (c.phase_ == phase::starting
                            ? std::string(c.handshake_->stage())
                            : "waiting for the end of the process that did not survive "
                              "server/discover"),
                false);
        else if (c.phase_ == phase::failing)
            c.report_failed_start(c.failure_code_, c.failure_, c.failure_permanent_);
    });
}

void connection_driver::fail_start_soon(errc code, std::string what, bool permanent)
{
    phase_ = phase::failing;
    failure_code_ = code;
    failure_ = std::move(what);
    failure_permanent_ = permanent;
    grace_until_ = after(clock::now(), exit_status_grace);
    wake_at(grace_until_);
}

void connection_driver::report_failed_start(errc code, std::string_view what, bool permanent)
{
    phase_ = phase::over;
    grace_until_ = time_point::max();
    write_deadline_ = time_point::max();
    // Whatever was believed about the server did not help.
    server_->forget_era();
    failed_start failure;
    failure.code = make_error_code(code);
    failure.permanent = permanent;
    failure.details = describe_start(known(), what, garbage_, transport_->start_hints());
    failure.details.last_start_error = failure.details.message;
    handshake_.reset();
    if (const auto pool = events_.lock())
        pool->on_failed(*state_, std::move(failure));
}

void connection_driver::begin_dying(std::string what)
{
    phase_ = phase::dying;
    failure_code_ = errc::session_closed;
    failure_ = std::move(what);
    grace_until_ = after(clock::now(), exit_status_grace);
    wake_at(grace_until_);
    if (const auto pool = events_.lock())
        pool->on_broken(*state_, broken_cause::died, explain(failure_));
}

void connection_driver::break_session(
    errc code, std::string what, std::string_view remedy, broken_cause cause)
{
    phase_ = phase::over;
    write_deadline_ = time_point::max();
    // The pool first: whoever is told of the failure must not get this session again.
    if (const auto pool = events_.lock())
        pool->on_broken(*state_, cause, explain(what, remedy));
    failure_ = std::move(what);
    fail_unanswered(code, failure_, remedy);
}

void connection_driver::stop(transport::stop_step step, std::string why)
{
    post([step, why = std::move(why)](connection_driver& c) { c.do_stop(step, why); });
}

void connection_driver::kill(std::string why)
{
    {
        const std::lock_guard lock(kill_mutex_);
        killed_ = true;
        if (kill_switch_)
            kill_switch_();
    }
    stop(transport::stop_step::kill, std::move(why));
}

void connection_driver::do_stop(transport::stop_step step, const std::string& why)
{
    take_inbox();
    if (phase_ == phase::ended)
        return;
    if (phase_ == phase::created)
        transport_ended_ = true;
    // What dies waits for the exit status that it is about to learn.
    if (phase_ != phase::dying) {
        phase_ = phase::over;
        grace_until_ = time_point::max();
        write_deadline_ = time_point::max();
        if (failure_.empty())
            failure_ = "the session was ended: " + why;
        fail_unanswered(errc::session_closed, failure_, acquire_again);
    }
    if (transport_ended_)
        announce_end();
    else
        transport_->stop(step);
}

circumstances connection_driver::known() const
{
    circumstances here;
    here.server = server_->config.name;
    if (transport_ended_)
        here.exit_status = end_.status;
    if (transport_)
        here.stderr_tail = transport_->stderr_tail();
    return here;
}

std::shared_ptr<const diagnostics> connection_driver::explain(
    std::string_view what, std::string_view remedy) const
{
    return std::make_shared<const diagnostics>(describe(known(), what, remedy));
}

void connection_driver::fail_unanswered(errc code, std::string_view what, std::string_view remedy)
{
    if (phase_ == phase::dying) {
        phase_ = phase::over;
        grace_until_ = time_point::max();
    }
    forget_asked();
    reset_requests_.clear();
    baseline_.reset();
    health_probe_.reset();
    relisting_.reset();
    for (std::size_t grant = 0; grant != state_->grants(); ++grant)
        uncount(state_->grant(grant), table_.settle(grant));
    fail_listening(code, std::string(what), remedy);
    // The lease has ended, and whoever waits through it learns just that.
    const auto aborted = [this](request_op* op) {
        const bool over = !op->grant->leased(op->generation);
        if (over)
            finish(op, asio::error::operation_aborted, nullptr, nullptr);
        return over;
    };
    if (!table_.empty() || !rounds_.empty()) {
        const auto details = explain(std::string(what)
                + (code == errc::session_closed
                        ? " while the request was under way, so that it may have been executed"
                        : ""),
            remedy);
        fail_rounds(code, details);
        // Not for the first time: the server has been at work on it.
        const auto again = [this](const request_op& op) { return rounds_of(&op) != nullptr; };
        request_queue begun = queue_.extract(again);
        while (request_op* op = begun.pop_front()) {
            uncount(*op);
            if (!aborted(op))
                finish(op, make_error_code(code), nullptr, details);
        }
        for (const protocol::pending_request& request : table_.take_all()) {
            uncount(*request.op);
            if (!aborted(request.op))
                finish(request.op, make_error_code(code), nullptr, details);
        }
    }
    if (!queue_.empty()) {
        const auto details = explain(
            std::string(what) + " before the request was sent; repeating it is safe", remedy);
        while (request_op* op = queue_.pop_front()) {
            uncount(*op);
            if (!aborted(op))
                finish(op, make_error_code(errc::not_sent), nullptr, details);
        }
    }
}

} // namespace mcp_pool::detail
