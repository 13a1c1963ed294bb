// An observer that writes down what a pool tells it.
#pragma once

#include <mcp_pool/pool_events.hpp>

#include <algorithm>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace mcp_pool::testing {

// One event, with texts of its own. `what` is the name of the function that was called.
struct seen
{
    std::string_view what;
    std::uint64_t sequence = 0, session = 0;
    duration took = duration::zero();
    session_end reason = session_end::none;
    error_code code;
    std::uint_least32_t line = 0;
    std::string server, text;
    std::size_t count = 0;
    bool good = false;
    std::thread::id where;
};

// Thread safety: everything but `on_event`, which is set before the pool knows the witness.
class witness final : public pool_observer
{
public:
    // Called for each event after it has been written down.
    std::function<void(const seen&)> on_event;

    // Everything, as it was told.
    [[nodiscard]] std::vector<seen> told() const
    {
        const std::lock_guard lock(mutex_);
        return told_;
    }
    // Everything, as it happened.
    [[nodiscard]] std::vector<seen> in_order() const
    {
        std::vector<seen> all = told();
        std::sort(all.begin(), all.end(),
            [](const seen& a, const seen& b) { return a.sequence < b.sequence; });
        return all;
    }
    [[nodiscard]] std::vector<seen> all(std::string_view what) const
    {
        std::vector<seen> found = in_order();
        std::erase_if(found, [what](const seen& e) { return e.what != what; });
        return found;
    }
    [[nodiscard]] std::size_t count(std::string_view what) const
    {
        const std::lock_guard lock(mutex_);
        return static_cast<std::size_t>(std::count_if(
            told_.begin(), told_.end(), [what](const seen& e) { return e.what == what; }));
    }
    // The first event of a kind; an event without a name if there is none.
    [[nodiscard]] seen first(std::string_view what) const
    {
        const std::vector<seen> found = all(what);
        return found.empty() ? seen() : found.front();
    }
    // The kinds of all events, as they happened: "starting started leased".
    [[nodiscard]] std::string story() const
    {
        std::string text;
        for (const seen& e : in_order())
            text.append(text.empty() ? "" : " ").append(e.what);
        return text;
    }

    void starting(const pool_event& e) noexcept override { note("starting", e); }
    void started(const pool_event& e) noexcept override { note("started", e); }
    void start_failed(const pool_event& e) noexcept override { note("start_failed", e); }
    void probed(const pool_event& e) noexcept override { note("probed", e); }
    void replaced(const pool_event& e) noexcept override { note("replaced", e); }
    void retired(const pool_event& e) noexcept override { note("retired", e); }
    void ended(const pool_event& e) noexcept override { note("ended", e); }
    void overdue(const pool_event& e) noexcept override { note("overdue", e); }
    void stalled(const pool_event& e) noexcept override { note("stalled", e); }
    void suspected(const pool_event& e) noexcept override { note("suspected", e); }
    void circuit_opened(const pool_event& e) noexcept override { note("circuit_opened", e); }
    void circuit_closed(const pool_event& e) noexcept override { note("circuit_closed", e); }
    void scaled(const pool_event& e) noexcept override { note("scaled", e); }
    void warned(const pool_event& e) noexcept override { note("warned", e); }
    void stderr_line(const pool_event& e) noexcept override { note("stderr_line", e); }
    void leased(const pool_event& e) noexcept override { note("leased", e); }
    void returned(const pool_event& e) noexcept override { note("returned", e); }
    void waited(const pool_event& e) noexcept override { note("waited", e); }
    void timed_out(const pool_event& e) noexcept override { note("timed_out", e); }
    void refused(const pool_event& e) noexcept override { note("refused", e); }

private:
    void note(std::string_view what, const pool_event& e)
    {
        seen s;
        s.what = what;
        s.sequence = e.sequence;
        s.session = e.session;
        s.took = e.took;
        s.reason = e.reason;
        s.code = e.code;
        s.line = e.place.line();
        s.server = e.server;
        s.text = e.text;
        s.count = e.count;
        s.good = e.good;
        s.where = std::this_thread::get_id();
        {
            const std::lock_guard lock(mutex_);
            told_.push_back(s);
        }
        if (on_event)
            on_event(s);
    }

    mutable std::mutex mutex_;
    std::vector<seen> told_;
};

} // namespace mcp_pool::testing
