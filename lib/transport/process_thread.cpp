#include "transport/process_thread.hpp"

#include <boost/system/system_error.hpp>

#include <algorithm>
#include <array>
#include <csignal>

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>

namespace mcp_pool::transport {

namespace {

[[noreturn]] void throw_error(int error, const char* what)
{
    throw boost::system::system_error(error, boost::system::system_category(), what);
}

} // namespace

process_thread& process_thread::instance()
{
    // Leaked on purpose. If the constructor throws, the next call tries again.
    static process_thread* const the_thread = new process_thread;
    return *the_thread;
}

process_thread::process_thread()
{
    {
        const low_descriptors_plug plug;
        epoll_.reset(lifted(::epoll_create1(EPOLL_CLOEXEC)));
        if (!epoll_)
            throw_error(errno, "epoll_create1");
        wake_.reset(lifted(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)));
        if (!wake_)
            throw_error(errno, "eventfd");
    }
    epoll_event event = {};
    event.events = EPOLLIN;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), &event) != 0)
        throw_error(errno, "epoll_ctl");

    // Blocked around the creation, so that the thread never runs a handler of the host.
    sigset_t all;
    sigset_t former;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &former);
    pthread_t thread;
    const int error = ::pthread_create(
        &thread, nullptr, [](void* self) -> void* { static_cast<process_thread*>(self)->run(); },
        this);
    ::pthread_sigmask(SIG_SETMASK, &former, nullptr);
    if (error != 0)
        throw_error(error, "pthread_create");
    ::pthread_detach(thread);
}

void process_thread::request(const std::shared_ptr<process>& who, process_request what) noexcept
{
    // The first bit puts it into the queue; further ones ride along.
    if (who->requests_.fetch_or(static_cast<unsigned>(what)) != 0)
        return;
    {
        const std::lock_guard lock(mutex_);
        if (last_requested_ != nullptr)
            last_requested_->next_requested_ = who;
        else
            first_requested_ = who;
        last_requested_ = who.get();
    }
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(wake_.get(), &one, sizeof one);
}

void process_thread::run() noexcept
{
    // By itself: for another thread it opens a file in /proc, which could stand at 0 to 2.
    ::pthread_setname_np(::pthread_self(), "mcp-pool-proc");
    for (;;) {
        std::array<epoll_event, 64> events;
        const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()),
            milliseconds_to_next_due());
        if (count < 0 && errno != EINTR) {
            // The host has closed our descriptors: what has a due time is still looked after.
            const timespec pause = {0, 50'000'000};
            ::nanosleep(&pause, nullptr);
        }
        const low_descriptors_plug plug;
        for (int i = 0; i < count; ++i) {
            auto* const who = static_cast<process*>(events[static_cast<std::size_t>(i)].data.ptr);
            if (who == nullptr) {
                std::uint64_t ignored;
                [[maybe_unused]] const auto size = ::read(wake_.get(), &ignored, sizeof ignored);
                continue;
            }
            // At most one event of each process in a batch: its only descriptor is its pidfd.
            who->on_exit_event(*this);
            release(*who);
        }
        take_queue();
        run_due(process::clock::now());
    }
}

void process_thread::take_queue() noexcept
{
    std::shared_ptr<process> next;
    {
        const std::lock_guard lock(mutex_);
        next = std::move(first_requested_);
        last_requested_ = nullptr;
    }
    while (next) {
        const std::shared_ptr<process> who = std::move(next);
        // Out of the queue before the bits are taken: a later request queues it anew.
        next = std::move(who->next_requested_);
        const unsigned requests = who->requests_.exchange(0);
        if (!who->self_ && !who->over()) {
            who->self_ = who;
            processes_.push_back(*who);
            looked_after_.fetch_add(1);
        }
        who->take_requests(requests, *this);
        release(*who);
    }
}

void process_thread::run_due(process::clock::time_point now) noexcept
{
    for (auto at = processes_.begin(); at != processes_.end();) {
        process& who = *at++;
        if (who.due() <= now) {
            who.on_due(*this);
            release(who);
        }
    }
}

// Linear: nearly always next to nobody has a due time, and a look costs a nanosecond.
int process_thread::milliseconds_to_next_due() const noexcept
{
    auto first = process::clock::time_point::max();
    for (const process& who : processes_)
        first = std::min(first, who.due());
    if (first == process::clock::time_point::max())
        return -1;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(first - process::clock::now());
    return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 60'000));
}

void process_thread::release(process& who) noexcept
{
    if (!who.over() || !who.self_)
        return;
    processes_.erase(processes_.iterator_to(who));
    const std::shared_ptr<process> last = std::move(who.self_);
    looked_after_.fetch_sub(1);
}

bool process_thread::watch(const descriptor& pidfd, process& who) noexcept
{
    epoll_event event = {};
    event.events = EPOLLIN;
    event.data.ptr = &who;
    return ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, pidfd.get(), &event) == 0;
}

void process_thread::unwatch(const descriptor& pidfd) noexcept
{
    epoll_event event = {};
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, pidfd.get(), &event);
}

void process_thread::count_spawn(std::chrono::nanoseconds elapsed) noexcept
{
    spawn_nanoseconds_.fetch_add(elapsed.count(), std::memory_order_relaxed);
    spawns_.fetch_add(1, std::memory_order_relaxed);
}

} // namespace mcp_pool::transport
