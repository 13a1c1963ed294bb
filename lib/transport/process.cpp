#include "transport/process.hpp"

#include "transport/cgroup.hpp"
#include "transport/descendants.hpp"

#include <algorithm>
#include <csignal>
#include <new>

#include <sys/syscall.h>
#include <sys/wait.h>

namespace mcp_pool::transport {

namespace {

using namespace std::chrono_literals;

// Each of three further tries for a program that is being written to waits longer.
constexpr int max_retries = 3;
constexpr auto first_retry = 10ms;

// How long the rest of a group may take to die before it is reported.
constexpr auto patience_with_group = 1s;

constexpr auto shortest_pause = 2ms;
constexpr auto longest_pause = 100ms;
constexpr auto unexpecting_pause = 250ms;
constexpr auto redelivery_pause = 50ms;

// <sys/wait.h> of older C libraries lacks it.
constexpr auto wait_by_pidfd = static_cast<idtype_t>(3);

exit_status status_of(const siginfo_t& info)
{
    return {info.si_code == CLD_EXITED ? exit_status::kind::exited : exit_status::kind::signalled,
        info.si_status};
}

// Linux 5.2 and 5.3 make pidfds that waitid() does not know.
bool can_be_waited_for(const descriptor& pidfd) noexcept
{
    siginfo_t ignored = {};
    const int result = ::waitid(
        wait_by_pidfd, static_cast<id_t>(pidfd.get()), &ignored, WEXITED | WNOWAIT | WNOHANG);
    return result == 0 || errno == ECHILD;
}

} // namespace

process::process(std::shared_ptr<const stdio_server> server, environment variables,
    bool inherit_stderr, std::shared_ptr<mailbox> box)
    : server_(std::move(server))
    , variables_(std::move(variables))
    , inherit_stderr_(inherit_stderr)
    , box_(std::move(box))
{}

process::~process()
{
    close_handed_over();
}

void process::hand_over(std::size_t stream, descriptor end) noexcept
{
    const descriptor former(handed_over_[stream].exchange(end.release()));
}

void process::close_handed_over() noexcept
{
    for (std::atomic<int>& end : handed_over_)
        const descriptor last(end.exchange(-1));
}

bool process::over() const noexcept
{
    return phase_ == phase::over && !undelivered_;
}

void process::take_requests(unsigned requests, process_watch& watch) noexcept
{
    const auto asked = [requests](process_request what) {
        return (requests & static_cast<unsigned>(what)) != 0;
    };
    const bool to_abandon = asked(process_request::abandon);
    const bool to_kill = asked(process_request::kill) || to_abandon;
    const bool to_terminate = asked(process_request::terminate);
    const bool to_stop = asked(process_request::close_input) || to_terminate || to_kill;
    abandoned_ = abandoned_ || to_abandon;
    switch (phase_) {
    case phase::waiting:
        // A stop that has overtaken the start: there is nothing to start any more.
        if (to_stop)
            report_end({});
        else if (asked(process_request::start))
            try_start(watch);
        break;
    case phase::running:
        exit_expected_ = exit_expected_ || to_stop || asked(process_request::output_ended);
        if (to_kill)
            kill_everything();
        else if (to_terminate)
            terminate();
        else if (to_stop)
            remember_descendants();
        break;
    case phase::lingering:
    case phase::over:
        break;
    }
    if (to_stop)
        close_handed_over();
    if (phase_ == phase::running) {
        pause_ = shortest_pause;
        look_for_exit(watch);
    }
}

void process::on_exit_event(process_watch& watch) noexcept
{
    if (phase_ == phase::running)
        look_for_exit(watch);
}

void process::on_due(process_watch& watch) noexcept
{
    due_ = clock::time_point::max();
    if (undelivered_) {
        undelivered_ = !box_->deliver_later();
        if (undelivered_)
            due_ = clock::now() + redelivery_pause;
    }
    switch (phase_) {
    case phase::waiting:
        try_start(watch);
        break;
    case phase::running:
        look_for_exit(watch);
        break;
    case phase::lingering:
        linger();
        break;
    case phase::over:
        break;
    }
}

void process::try_start(process_watch& watch) noexcept
try {
    auto planned = plan_launch(*server_, variables_);
    if (auto* const failure = std::get_if<start_failure>(&planned))
        return fail_start(std::move(*failure));
    const auto& plan = std::get<launch_plan>(planned);

    // Before there is a process that its failure would leave behind.
    pidfd_ = std::make_shared<descriptor>();
    oom_kills_before_ = count_oom_kills();
    const auto before = clock::now();
    auto made = spawn(plan, inherit_stderr_, watch.stack());
    watch.count_spawn(clock::now() - before);

    if (auto* const child = std::get_if<spawned_process>(&made))
        return started(std::move(*child), watch);
    const auto& failure = std::get<spawn_failure>(made);
    if (failure.stage == launch_stage::execute && failure.error == ETXTBSY
        && tries_ < max_retries) {
        // Not waited for here: others want to start meanwhile.
        due_ = clock::now() + first_retry * (1 << (2 * tries_++));
        return;
    }
    fail_start(explain_failed_launch(*server_, plan, failure.stage, failure.error));
} catch (const std::bad_alloc&) {
    start_failure why;
    why.code = errc::resource_exhausted;
    fail_start(std::move(why));
}

void process::started(spawned_process made, process_watch& watch)
{
    phase_ = phase::running;
    pid_ = made.pid;
    if (made.pidfd && can_be_waited_for(made.pidfd))
        *pidfd_ = std::move(made.pidfd);
    watched_ = *pidfd_ && watch.watch(*pidfd_, *this);
    if (!*pidfd_)
        identity_ = read_process(pid_);
    bool wanted = false;
    tell([&](process_news& news) {
        auto& told = news.started.emplace();
        told.pid = made.pid;
        told.pidfd = pidfd_;
        told.input = std::move(made.input);
        told.output = std::move(made.output);
        told.errors = std::move(made.errors);
        wanted = true;
    });
    // It was abandoned meanwhile. Not later: its pipes close at the end of this function.
    if (!wanted)
        kill_everything();
    await_exit();
}

void process::fail_start(start_failure why) noexcept
{
    tell([&why](process_news& news) { news.failed = std::move(why); });
    finish();
}

void process::look_for_exit(process_watch& watch) noexcept
{
    const exit_check how = check_exit();
    if (how != exit_check::still_running)
        return on_exited(how, watch);
    if (clock::now() >= patience_ && !end_reported_) {
        // Stuck in the kernel, or beyond our permissions. Watched on, to be reaped some day.
        report_end(remaining());
    }
    await_exit();
}

void process::await_exit() noexcept
{
    due_ = clock::time_point::max();
    if (!watched_) {
        due_ = clock::now() + (exit_expected_ ? pause_ : unexpecting_pause);
        pause_ = std::min<clock::duration>(pause_ * 2, longest_pause);
    }
    if (!end_reported_)
        due_ = std::min(due_, patience_);
    if (undelivered_)
        due_ = std::min(due_, clock::now() + redelivery_pause);
}

process::exit_check process::check_exit() noexcept
{
    siginfo_t info = {};
    const int result = *pidfd_
        ? ::waitid(
            wait_by_pidfd, static_cast<id_t>(pidfd_->get()), &info, WEXITED | WNOWAIT | WNOHANG)
        : ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT | WNOHANG);
    if (result != 0)
        return errno == ECHILD ? exit_check::taken : exit_check::still_running;
    if (info.si_pid == 0)
        return exit_check::still_running;
    if (identity_) {
        // The host may have reaped ours, and made another child that got its number.
        const auto now = read_process(pid_);
        if (now && now->started != identity_->started)
            return exit_check::taken;
    }
    report_.status = status_of(info);
    return exit_check::exited;
}

void process::on_exited(exit_check how, process_watch& watch) noexcept
{
    if (how == exit_check::exited) {
        look_for_oom_kill();
        // The unreaped leader keeps the number of the group ours.
        signal_group(pid_, SIGKILL);
        kill_descendants();
        reap();
    } else {
        report_.status = exit_status(exit_status::kind::taken_by_host, 0);
        kill_stranded_group();
        kill_descendants();
    }
    if (watched_)
        watch.unwatch(*pidfd_);
    watched_ = false;
    pidfd_.reset();
    phase_ = phase::lingering;
    patience_ = clock::now() + patience_with_group;
    pause_ = shortest_pause;
    tell([](process_news& news) { news.exited = true; });
    linger();
}

void process::look_for_oom_kill() noexcept
try {
    const bool foreign = report_.status->how == exit_status::kind::signalled
        && report_.status->value == SIGKILL && !report_.killed;
    const auto now = foreign && oom_kills_before_ ? count_oom_kills() : std::nullopt;
    if (!now || *now <= *oom_kills_before_)
        return;
    oom_kills found;
    found.before = *oom_kills_before_;
    found.after = *now;
    found.file = oom_file();
    report_.out_of_memory = std::move(found);
} catch (const std::bad_alloc&) {
    // The signal alone must do.
}

void process::reap() noexcept
{
    siginfo_t info = {};
    // The host may have been faster since the exit was seen; its status is known either way.
    if (*pidfd_)
        ::waitid(wait_by_pidfd, static_cast<id_t>(pidfd_->get()), &info, WEXITED | WNOHANG);
    else
        ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG);
}

void process::linger() noexcept
{
    const std::vector<process_entry> left = remaining();
    // In this order: whoever is not among the living by now can be reaped.
    reap_adopted();
    if (end_reported_)
        return finish();
    if (left.empty() || clock::now() >= patience_)
        return report_end(left);
    due_ = clock::now() + pause_;
    pause_ = std::min<clock::duration>(pause_ * 2, longest_pause);
}

void process::report_end(const std::vector<process_entry>& survivors) noexcept
{
    end_reported_ = true;
    try {
        for (const process_entry& survivor : survivors)
            report_.survivors.push_back(survivor.pid);
    } catch (const std::bad_alloc&) {
        // An incomplete report is better than none.
    }
    tell([this](process_news& news) { news.ended = std::move(report_); });
    if (phase_ != phase::running)
        finish();
}

template <class Fill>
void process::tell(Fill fill) noexcept
{
    if (!abandoned_ && !box_->put(fill))
        undelivered_ = true;
}

void process::finish() noexcept
{
    phase_ = phase::over;
    descendants_.clear();
    due_ = undelivered_ ? clock::now() + redelivery_pause : clock::time_point::max();
}

} // namespace mcp_pool::transport
