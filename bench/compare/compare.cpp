// This library's pool beside the pools that one would otherwise write: the same work in the same
// binary, what it costs, who is served when, and which of the well-known mistakes each one makes.

#include "compare/cases.hpp"
#include "compare/channel_pool.hpp"
#include "compare/our_pool.hpp"
#include "compare/semaphore_pool.hpp"
#include "compare/strand_pool.hpp"
#include "compare/timer_pool.hpp"
#include "micro/allocations.hpp"
#include "micro/measure.hpp"
#include "support/text.hpp"

#include <algorithm>
#include <iostream>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mcp_pool::bench {
namespace {

constexpr std::size_t storm_sessions = 4;

// What is found out about one pool.
struct findings
{
    std::string name;
    std::vector<double> hit_ns, hand_over_ns;
    double hit_allocations = 0, hand_over_allocations = 0;
    double jain = 0;
    std::size_t overtaken = 0, sessions_lost = 0;
    bool loses_wakeup = false, loses_session = false, overtakes = false;
};

struct measurement
{
    double ns = 0, allocations = 0;
};

template <class Pool>
asio::awaitable<double> hits(Pool& pool, std::size_t count, measurement& result)
{
    const std::uint64_t before = allocations_of_this_thread().all();
    const auto begin = cpu_time();
    for (std::size_t i = 0; i != count; ++i) {
        const typename Pool::lease session = co_await pool.acquire(30s);
    }
    result.ns = nanoseconds_each(cpu_time() - begin, count);
    result.allocations = static_cast<double>(allocations_of_this_thread().all() - before)
        / static_cast<double>(count);
    co_return result.ns;
}

// A closed loop of users, each of whom holds its session for one turn of the loop, or not at all.
template <class Pool>
class crowd_of_users
{
public:
    crowd_of_users(std::size_t sessions, std::size_t users, bool holding)
        : scene_(sessions)
        , served_(users, 0)
        , holding_(holding)
    {}

    measurement serve(std::size_t grants)
    {
        left_ = grants;
        std::fill(served_.begin(), served_.end(), 0);
        for (std::size_t i = 0; i != served_.size(); ++i) {
            ++present_;
            asio::co_spawn(scene_.context, user(i), asio::detached);
        }
        const std::uint64_t before = allocations_of_this_thread().all();
        const auto begin = cpu_time();
        scene_.run_until([this] { return present_ == 0; });
        measurement result;
        result.ns = nanoseconds_each(cpu_time() - begin, grants);
        result.allocations = static_cast<double>(allocations_of_this_thread().all() - before)
            / static_cast<double>(grants);
        return result;
    }

    // From now on: how often somebody was served before one who had asked earlier.
    std::size_t overtaken(std::size_t grants)
    {
        in_order_ = true;
        overtaken_ = 0;
        serve(grants);
        in_order_ = false;
        return overtaken_;
    }

    // Jain's index of the last serve(): 1 if everybody was served equally often, 1/n if one was.
    [[nodiscard]] double jain() const
    {
        double sum = 0, squares = 0;
        for (const double n : served_) {
            sum += n;
            squares += n * n;
        }
        return squares == 0 ? 0 : sum * sum / (static_cast<double>(served_.size()) * squares);
    }

private:
    asio::awaitable<void> user(std::size_t i)
    {
        bool first = true;
        while (left_ != 0) {
            const std::uint64_t ticket = ++last_ticket_;
            if (in_order_)
                waiting_.insert(ticket);
            const typename Pool::lease session = co_await scene_.pool.acquire(30s);
            if (in_order_) {
                overtaken_ += ticket != *waiting_.begin() && left_ != 0;
                waiting_.erase(ticket);
            }
            if (left_ != 0) {
                --left_;
                ++served_[i];
            }
            // Once in any case, so that the others come to wait.
            if (holding_ || std::exchange(first, false))
                co_await asio::post(asio::use_awaitable);
        }
        --present_;
    }

    scene<Pool> scene_;
    std::vector<double> served_;
    const bool holding_;
    std::size_t left_ = 0, present_ = 0, overtaken_ = 0;
    bool in_order_ = false;
    std::uint64_t last_ticket_ = 0;
    std::set<std::uint64_t> waiting_;
};

// Of one kind, kept for all runs.
class candidate
{
public:
    virtual ~candidate() = default;
    virtual double time_of_hits() = 0;
    virtual double time_of_hand_overs() = 0;
    virtual findings look() = 0;
};

template <class Pool>
class candidate_of final : public candidate
{
public:
    explicit candidate_of(bool smoke)
        : free_(2)
        , busy_(1, 2, false)
        , count_(smoke ? 2'000 : 50'000)
    {}

    double time_of_hits() override { return run_on(free_.context, hits(free_.pool, count_, hit_)); }

    double time_of_hand_overs() override
    {
        hand_over_ = busy_.serve(count_);
        return hand_over_.ns;
    }

    findings look() override
    {
        findings f;
        f.name = Pool::name;
        f.hit_allocations = hit_.allocations;
        f.hand_over_allocations = hand_over_.allocations;
        crowd_of_users<Pool> many(10, 200, true);
        f.overtaken = many.overtaken(count_);
        f.jain = many.jain();
        f.loses_wakeup = loses_a_wakeup<Pool>();
        f.loses_session = loses_a_session_at_the_deadline<Pool>();
        f.overtakes = lets_newcomers_overtake<Pool>();
        f.sessions_lost = storm<Pool>(storm_sessions, count_).sessions_lost();
        return f;
    }

private:
    scene<Pool> free_;
    crowd_of_users<Pool> busy_;
    measurement hit_, hand_over_;
    const std::size_t count_;
};

std::vector<findings> compare(const micro_options& asked)
{
    std::vector<std::unique_ptr<candidate>> all;
    all.push_back(std::make_unique<candidate_of<our_pool>>(asked.smoke));
    all.push_back(std::make_unique<candidate_of<strand_pool>>(asked.smoke));
    all.push_back(std::make_unique<candidate_of<channel_pool>>(asked.smoke));
    all.push_back(std::make_unique<candidate_of<timer_pool>>(asked.smoke));
    all.push_back(std::make_unique<candidate_of<semaphore_pool>>(asked.smoke));
    std::vector<std::function<double()>> measured;
    for (const auto& c : all) {
        measured.emplace_back([&c] { return c->time_of_hits(); });
        measured.emplace_back([&c] { return c->time_of_hand_overs(); });
    }
    const auto values = interleave(asked.runs, measured);
    std::vector<findings> result;
    for (std::size_t i = 0; i != all.size(); ++i) {
        result.push_back(all[i]->look());
        result.back().hit_ns = values[2 * i];
        result.back().hand_over_ns = values[2 * i + 1];
    }
    return result;
}

void print_figure(const findings& f, const std::string& what, relation bound_is, double bound,
    double measured, const char* unit, bool judged, json::object detail = {})
{
    figure one;
    one.name = what + ": " + f.name;
    one.bound_is = bound_is;
    one.bound = bound;
    one.measured = measured;
    one.unit = unit;
    one.judged = judged;
    one.detail = std::move(detail);
    print(one);
}

void print_figures(const std::vector<findings>& all, const micro_options& asked)
{
    const findings& ours = all.front();
    for (const findings& f : all) {
        const bool mine = &f == &ours;
        // Of the others nothing is demanded.
        const auto demanded = [mine](relation r) { return mine ? r : relation::shown; };
        json::object hit, hand_over, mistakes;
        hit["runs_ns"] = array_of(f.hit_ns);
        hit["allocations"] = f.hit_allocations;
        hand_over["runs_ns"] = array_of(f.hand_over_ns);
        hand_over["allocations"] = f.hand_over_allocations;
        mistakes["loses_a_wakeup"] = f.loses_wakeup;
        mistakes["loses_a_session_at_the_deadline"] = f.loses_session;
        mistakes["lets_newcomers_overtake"] = f.overtakes;
        mistakes["sessions_lost_in_a_storm"] = f.sessions_lost;
        if (!mine) {
            print_figure(f, "hit beside ours", relation::shown, 0,
                median(f.hit_ns) / median(ours.hit_ns), "ratio", !asked.smoke, std::move(hit));
            print_figure(f, "hand-over beside ours", relation::shown, 0,
                median(f.hand_over_ns) / median(ours.hand_over_ns), "ratio", !asked.smoke,
                std::move(hand_over));
        } else {
            print_figure(f, "allocations of a hand-over", relation::shown, 0,
                f.hand_over_allocations, "allocations", true, std::move(hand_over));
        }
        print_figure(f, "overtaken waiters", demanded(relation::exactly), 0,
            static_cast<double>(f.overtaken), "count", true);
        print_figure(f, "Jain's index", demanded(relation::at_least), 0.999, f.jain, "ratio", true);
        print_figure(f, "known mistakes made", demanded(relation::exactly), 0,
            static_cast<double>(
                f.loses_wakeup + f.loses_session + f.overtakes + (f.sessions_lost != 0)),
            "count", true, std::move(mistakes));
    }
}

// As docs/comparison.md has it.
void print_table(const std::vector<findings>& all)
{
    const findings& ours = all.front();
    const auto yes = [](bool mistake) { return mistake ? "**yes**" : "no"; };
    std::cout << "| pool | hit | handed over | allocations: hit, handed over | Jain's index | FIFO "
                 "| lost wake-up | session lost at the deadline | overtaking | lost in a storm |\n"
                 "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n";
    for (const findings& f : all) {
        std::cout << "| " << f.name << " | " << number(median(f.hit_ns) / median(ours.hit_ns), 2)
                  << " | " << number(median(f.hand_over_ns) / median(ours.hand_over_ns), 2) << " | "
                  << number(f.hit_allocations, 1) << ", " << number(f.hand_over_allocations, 1)
                  << " | " << number(f.jain, 4) << " | " << (f.overtaken == 0 ? "yes" : "no")
                  << " | " << yes(f.loses_wakeup) << " | " << yes(f.loses_session) << " | "
                  << yes(f.overtakes) << " | " << f.sessions_lost << " of " << storm_sessions
                  << " |\n";
    }
    std::cout << "\n1 is " << number(median(ours.hit_ns)) << " ns for a hit and "
              << number(median(ours.hand_over_ns)) << " ns handed over.\n";
}

} // namespace
} // namespace mcp_pool::bench

int main(int argc, char** argv)
{
    using namespace mcp_pool::bench;
    // --table: for people, instead of lines of JSON.
    const bool table = argc > 1 && std::string_view(argv[1]) == "--table";
    const micro_options asked = parse_micro_options(argc - table, argv + table,
        "compare [--table]: this pool beside those that one would otherwise write");
    return run_micro([&] {
        check_the_allocation_counter();
        const std::vector<findings> all = compare(asked);
        if (table)
            print_table(all);
        else
            print_figures(all, asked);
    });
}
