#include "unit/shutdown/faulty_server.hpp"

#include "session/transport_source.hpp"

#include <boost/asio/post.hpp>

#include <csignal>
#include <utility>

namespace mcp_pool::test {

namespace {

// The layer, which its class hides from those that derive from it.
namespace lines = mcp_pool::transport;
using testing::reply;

// Stands between a connection and the transport of a scripted session.
class faulty_transport final : public lines::transport, private lines::transport_events
{
public:
    faulty_transport(std::shared_ptr<faults> state, const lines::connection_strand& strand,
        lines::transport_events& events, const lines::transport_factory& make)
        : state_(std::move(state))
        , strand_(strand)
        , events_(events)
        , scripted_(make(strand, *this))
    {}

    void start() override
    {
        if (state_->where == step::start)
            ++state_->begun;
        if (state_->at(step::start, conduct::never))
            return;
        if (state_->at(step::start, conduct::slow)) {
            going_on_ = std::make_shared<std::function<void()>>([this] { scripted_->start(); });
            state_->held.push_back(going_on_);
        } else if (state_->at(step::start, conduct::error)) {
            going_on_ = std::make_shared<std::function<void()>>([this] { fail(); });
            asio::post(strand_, [later = std::weak_ptr(going_on_)] {
                if (const auto failing = later.lock())
                    (*failing)();
            });
        } else {
            scripted_->start();
        }
    }

    std::size_t send(std::string line, const lines::message_facts& facts) override
    {
        return scripted_->send(std::move(line), facts);
    }

    void stop(lines::stop_step rung) override
    {
        going_on_.reset();
        if (!std::exchange(stopped_, true) && state_->where == step::stop)
            ++state_->begun;
        immortal_ = immortal_ || state_->at(step::stop, conduct::never);
        if (!immortal_)
            scripted_->stop(rung);
    }

    [[nodiscard]] std::function<void()> kill_switch() const override { return {}; }
    [[nodiscard]] std::shared_ptr<const lines::descriptor> pidfd() const override
    {
        return nullptr;
    }
    [[nodiscard]] std::string stderr_tail() const override { return scripted_->stderr_tail(); }
    [[nodiscard]] std::size_t resident_bytes() const override
    {
        return scripted_->resident_bytes();
    }
    [[nodiscard]] std::string start_hints() const override { return {}; }

private:
    void fail()
    {
        lines::start_failure why;
        why.code = make_error_code(errc::start_failed);
        why.message = "there is no process to be had";
        events_.on_start_failed(std::move(why));
    }

    void on_started(int pid) override { events_.on_started(pid); }
    void on_start_failed(lines::start_failure why) override
    {
        events_.on_start_failed(std::move(why));
    }
    void on_first_output() override { events_.on_first_output(); }
    void on_stderr_line(std::string line) override { events_.on_stderr_line(std::move(line)); }
    void on_line(std::string_view line) override { events_.on_line(line); }
    void on_oversized_line(std::size_t bytes) override { events_.on_oversized_line(bytes); }
    void on_end_of_output() override { events_.on_end_of_output(); }
    void on_write_progress(std::size_t left) override { events_.on_write_progress(left); }
    void on_write_failed(error_code code) override { events_.on_write_failed(code); }
    void on_ended(lines::end_report report) override
    {
        if (stopped_ && state_->at(step::stop, conduct::error)) {
            report.status = exit_status(exit_status::kind::signalled, SIGSEGV);
            report.survivors.assign(1, 1);
        }
        events_.on_ended(std::move(report));
    }

    const std::shared_ptr<faults> state_;
    const lines::connection_strand strand_;
    lines::transport_events& events_;
    // What goes on later, unless it is stopped before.
    std::shared_ptr<std::function<void()>> going_on_;
    bool stopped_ = false;
    bool immortal_ = false;
    // Last, as the first to be destroyed: it holds a reference to this.
    std::unique_ptr<lines::transport> scripted_;
};

reply initialized()
{
    json::object info;
    info["name"] = "scripted";
    info["version"] = "1.0.0";
    json::object result;
    result["protocolVersion"] = "2025-11-25";
    result["capabilities"] = json::object();
    result["serverInfo"] = std::move(info);
    return reply::result(std::move(result));
}

std::optional<reply> answer(faults& state, const testing::call& c)
{
    if (c.method == "tools/call" && c.params.at("name") == "hang")
        return reply::silence();
    const bool pinged = c.method == "ping"
        && (state.where == step::probe || state.where == step::reset);
    const bool greeted = c.method == "initialize" && state.where == step::handshake;
    if (!pinged && !greeted)
        return std::nullopt;
    ++state.begun;
    switch (state.how) {
    case conduct::ok:
        break;
    case conduct::error:
        return greeted ? reply::error(-32603, "there is no greeting to be had") : reply::die();
    case conduct::slow:
        return (greeted ? initialized() : reply::result(json::object())).held();
    case conduct::never:
        return reply::silence();
    }
    return std::nullopt;
}

} // namespace

std::ostream& operator<<(std::ostream& out, step s)
{
    constexpr const char* names[] = {"start", "handshake", "probe", "reset", "stop"};
    return out << names[static_cast<int>(s)];
}

std::ostream& operator<<(std::ostream& out, conduct c)
{
    constexpr const char* names[] = {"ok", "error", "slow", "never"};
    return out << names[static_cast<int>(c)];
}

faulty_server::faulty_server(step where, conduct how)
    : state_(std::make_shared<faults>(where, how))
{
    scripted_.on_request([state = state_](const testing::call& c) { return answer(*state, c); });
    // Whatever closes the input in vain sends SIGTERM next.
    scripted_.ignore_stop(state_->at(step::stop, conduct::slow), false);
}

std::shared_ptr<detail::transport_source> faulty_server::source() const
{
    return std::make_shared<detail::transport_source>(
        [state = state_, inner = scripted_.source()](
            lines::connection_strand strand, lines::transport_events& events) {
            return std::make_unique<faulty_transport>(state, strand, events, inner->make);
        });
}

void faulty_server::release()
{
    scripted_.release();
    for (const auto& later : std::exchange(state_->held, {}))
        if (const auto going_on = later.lock())
            (*going_on)();
}

} // namespace mcp_pool::test
