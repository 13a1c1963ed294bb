#include "session/scripted_state.hpp"
#include "session/transport_source.hpp"

#include <mcp_pool/testing/scripted_server.hpp>

#include <boost/json/serialize.hpp>

#include <algorithm>

namespace mcp_pool::testing {

// The transport that a connection owns.
class scripted_transport final : public transport::transport
{
public:
    explicit scripted_transport(std::shared_ptr<scripted_process> process)
        : process_(std::move(process))
    {}
    ~scripted_transport() override { process_->abandon(); }

    void start() override { process_->start(); }
    std::size_t send(std::string line, const mcp_pool::transport::message_facts&) override
    {
        return process_->take(std::move(line));
    }
    void stop(mcp_pool::transport::stop_step step) override { process_->stop(step); }
    [[nodiscard]] std::function<void()> kill_switch() const override { return {}; }
    [[nodiscard]] std::shared_ptr<const mcp_pool::transport::descriptor> pidfd() const override
    {
        return nullptr;
    }
    [[nodiscard]] std::string stderr_tail() const override { return process_->stderr_tail(); }
    [[nodiscard]] std::size_t resident_bytes() const override { return process_->resident_bytes(); }
    [[nodiscard]] std::string start_hints() const override { return {}; }

private:
    std::shared_ptr<scripted_process> process_;
};

reply reply::result(json::value content)
{
    reply r;
    r.what_ = kind::answer;
    r.body_ = R"("result":)" + json::serialize(content);
    return r;
}

reply reply::error(int code, std::string message, json::value data)
{
    json::object e;
    e["code"] = code;
    e["message"] = message;
    if (!data.is_null())
        e["data"] = std::move(data);
    reply r;
    r.what_ = kind::answer;
    r.body_ = R"("error":)" + json::serialize(e);
    return r;
}

reply reply::silence()
{
    return {};
}

reply reply::exit(int status)
{
    reply r;
    r.what_ = kind::exit;
    r.status_ = status;
    return r;
}

reply reply::die(int signal)
{
    reply r;
    r.what_ = kind::die;
    r.status_ = signal;
    return r;
}

reply reply::close_output()
{
    reply r;
    r.what_ = kind::close_output;
    return r;
}

reply reply::raw(std::vector<std::string> lines)
{
    reply r;
    r.before_ = std::move(lines);
    return r;
}

reply reply::before(std::string line) &&
{
    before_.push_back(std::move(line));
    return std::move(*this);
}

reply reply::after(std::string line) &&
{
    after_.push_back(std::move(line));
    return std::move(*this);
}

reply reply::held() &&
{
    held_ = true;
    return std::move(*this);
}

namespace {

// The process of a session that lives, or null.
std::shared_ptr<scripted_process> find(const scripted_state& state, std::size_t session)
{
    const std::lock_guard lock(state.mutex);
    const auto found = state.living.find(session);
    return found == state.living.end() ? nullptr : found->second.lock();
}

template <class F>
void control(const scripted_state& state, std::size_t session, F f)
{
    if (const auto process = find(state, session))
        process->post(std::move(f));
}

void end(const scripted_state& state, std::size_t session, exit_status::kind how, int value)
{
    transport::end_report report;
    report.status = exit_status(how, value);
    control(state, session, [report](scripted_process& p) { p.end(report); });
}

} // namespace

scripted_server::scripted_server(personality p)
    : state_(std::make_shared<scripted_state>(p))
{}

scripted_server::~scripted_server() = default;

std::shared_ptr<mcp_pool::detail::transport_source> scripted_server::source() const
{
    return std::make_shared<mcp_pool::detail::transport_source>(
        [state = state_](transport::connection_strand strand,
            transport::transport_events& events) -> std::unique_ptr<transport::transport> {
            return std::make_unique<scripted_transport>(
                std::make_shared<scripted_process>(state, std::move(strand), events));
        });
}

void scripted_server::on_request(script s)
{
    auto behaviour = std::make_shared<const script>(std::move(s));
    const std::lock_guard lock(state_->mutex);
    state_->behaviour.swap(behaviour);
}

void scripted_server::fail_starts(std::size_t count, errc code, std::string message, bool permanent)
{
    failing_start failure;
    failure.code = code;
    failure.message = std::move(message);
    failure.permanent = permanent;
    const std::lock_guard lock(state_->mutex);
    state_->failing.insert(state_->failing.end(), count, failure);
}

void scripted_server::ignore_stop(bool close_input, bool terminate)
{
    const std::lock_guard lock(state_->mutex);
    state_->ignores_close_input = close_input;
    state_->ignores_terminate = terminate;
}

std::size_t scripted_server::release()
{
    std::deque<held_reply> waiting;
    {
        const std::lock_guard lock(state_->mutex);
        waiting.swap(state_->waiting);
    }
    const std::size_t count = waiting.size();
    for (held_reply& held : waiting)
        if (const auto process = held.process.lock())
            process->post([id = std::move(held.id), what = std::move(held.what)](
                              scripted_process& p) { p.carry_out(id, what); });
    return count;
}

void scripted_server::kill(std::size_t session, int signal)
{
    end(*state_, session, exit_status::kind::signalled, signal);
}

void scripted_server::exit(std::size_t session, int status)
{
    end(*state_, session, exit_status::kind::exited, status);
}

void scripted_server::close_output(std::size_t session)
{
    control(*state_, session, [](scripted_process& p) { p.close_output(); });
}

void scripted_server::emit(std::size_t session, std::string line)
{
    control(*state_, session, [line = std::move(line)](scripted_process& p) { p.write(line); });
}

void scripted_server::write_stderr(std::size_t session, std::string text)
{
    control(
        *state_, session, [text = std::move(text)](scripted_process& p) { p.write_stderr(text); });
}

void scripted_server::occupy(std::size_t session, std::size_t bytes)
{
    control(*state_, session, [bytes](scripted_process& p) { p.occupy(bytes); });
}

void scripted_server::stop_reading(std::size_t session)
{
    control(*state_, session, [](scripted_process& p) { p.set_reading(false); });
}

void scripted_server::resume_reading(std::size_t session)
{
    control(*state_, session, [](scripted_process& p) { p.set_reading(true); });
}

std::size_t scripted_server::sessions_started() const
{
    const std::lock_guard lock(state_->mutex);
    return state_->started;
}

std::size_t scripted_server::sessions_alive() const
{
    const std::lock_guard lock(state_->mutex);
    return state_->living.size();
}

std::vector<std::size_t> scripted_server::alive() const
{
    std::vector<std::size_t> numbers;
    const std::lock_guard lock(state_->mutex);
    for (const auto& [number, process] : state_->living)
        numbers.push_back(number);
    return numbers;
}

std::size_t scripted_server::held() const
{
    const std::lock_guard lock(state_->mutex);
    return state_->waiting.size();
}

std::vector<call> scripted_server::received() const
{
    const std::lock_guard lock(state_->mutex);
    return state_->received;
}

std::size_t scripted_server::count(std::string_view method) const
{
    const std::lock_guard lock(state_->mutex);
    return static_cast<std::size_t>(std::count_if(state_->received.begin(), state_->received.end(),
        [method](const call& c) { return c.method == method; }));
}

std::vector<json::object> scripted_server::answers() const
{
    const std::lock_guard lock(state_->mutex);
    return state_->answers;
}

bool scripted_server::wait_until(
    const std::function<bool(const scripted_server&)>& done, duration limit) const
{
    const time_point deadline = mcp_pool::detail::saturating_add(
        std::chrono::steady_clock::now(), limit);
    // `done` takes the mutex itself, so a change may slip in between: hence the short waits.
    while (!done(*this)) {
        if (std::chrono::steady_clock::now() >= deadline)
            return false;
        std::unique_lock lock(state_->mutex);
        state_->changed.wait_for(lock, std::chrono::milliseconds(10));
    }
    return true;
}

} // namespace mcp_pool::testing
