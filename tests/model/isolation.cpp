// pool-sim-isolation: many isolation keys on few sessions that keep state, in virtual time.
#include "virtual_load.hpp"

#include <algorithm>
#include <iomanip>
#include <iostream>
#include <string>

using namespace mcp_pool;
using namespace mcp_pool::test;
using namespace std::chrono_literals;

namespace {

constexpr time_point midnight{1h};
constexpr std::size_t keys = 2000;
constexpr duration length = 600s, warm_up = 60s;

duration seconds(double s)
{
    return std::chrono::duration_cast<duration>(std::chrono::duration<double>(s));
}

double milliseconds(duration d)
{
    return std::chrono::duration<double, std::milli>(d).count();
}

load_settings servers()
{
    load_settings s;
    s.options.probe_interval = 0s;
    // As servers on Node.js are.
    s.start_time = [random = chance(5)](
                       std::size_t) mutable { return 250ms + seconds(0.1 * random.uniform()); };
    return s;
}

struct crowd
{
    queue_policy queue = queue_policy::fifo;
    std::size_t max_starting = pool_options().max_starting;
    double rate = 1;
};

struct outcome
{
    std::size_t served = 0, same_key = 0, waiting = 0;
    double respawns = 0;
    duration p50{}, p99{};
    // The longest time during which somebody was always waiting.
    duration never_empty{};

    [[nodiscard]] bool drains() const { return never_empty < 60s; }
};

// Ten minutes of users who draw their key by a Zipf law, after one minute that does not count.
outcome run(const crowd& c)
{
    load_settings s = servers();
    s.options.max_starting = c.max_starting;
    s.options.queue = c.queue;
    virtual_load load(s);
    chance random(17);
    const zipf popularity(keys);
    outcome r;
    std::vector<duration> waits;
    time_point empty = midnight + warm_up;
    load.on_served = [&](const virtual_load::visit& v) {
        if (load.now() < midnight + warm_up)
            return;
        ++r.served;
        r.same_key += v.same_key;
        waits.push_back(v.served - v.arrived);
        r.never_empty = std::max(r.never_empty, load.now() - empty);
        if (load.core().waiting() == 0)
            empty = load.now();
    };
    std::function<void()> next = [&] {
        const std::size_t key = popularity(random);
        load.arrive(load.now(), key, "k" + std::to_string(key), random.exponential(50ms));
        load.at(load.now() + random.exponential(seconds(1 / c.rate)), next);
    };
    load.at(midnight, next);
    load.run_until(midnight + warm_up);
    const std::uint64_t before = load.rekeyed();
    load.run_until(midnight + warm_up + length);
    r.respawns = static_cast<double>(load.rekeyed() - before)
        / std::chrono::duration<double>(length).count();
    r.waiting = load.core().waiting();
    r.p50 = percentile(waits, 0.5);
    r.p99 = percentile(waits, 0.99);
    return r;
}

// Acquires a second from which on the queue is not empty once in every minute.
double limit(crowd c)
{
    double drains = 1, grows = 100;
    while (grows - drains > 0.1) {
        c.rate = (drains + grows) / 2;
        (run(c).drains() ? drains : grows) = c.rate;
    }
    return drains;
}

struct neighbours
{
    const char* name;
    std::size_t flood;
    queue_policy queue;
    std::size_t share;
};

// Somebody who comes ten times a second, beside one key that has so many acquires open all the time.
void neighbourhood(const neighbours& n)
{
    load_settings s = servers();
    s.options.queue = n.queue;
    s.options.max_leases_per_key = n.share;
    virtual_load load(s);
    chance random(7);
    std::vector<duration> waits;
    std::size_t flooded = 0;
    load.on_served = [&](const virtual_load::visit& v) {
        if (load.now() >= midnight + warm_up && v.user != 0)
            waits.push_back(v.served - v.arrived);
    };
    load.on_gone = [&](const virtual_load::visit& v) {
        if (v.user != 0)
            return;
        ++flooded;
        load.arrive(load.now(), 0, "flood", 20ms);
    };
    for (std::size_t i = 0; i != n.flood; ++i)
        load.arrive(midnight, 0, "flood", 20ms);
    std::function<void()> next = [&] {
        load.arrive(load.now(), 1, "light", 20ms);
        load.at(load.now() + random.exponential(100ms), next);
    };
    load.at(midnight, next);
    load.run_until(midnight + warm_up + length);
    const double time = std::chrono::duration<double>(warm_up + length).count();
    std::cout << "| " << n.name << " | " << milliseconds(percentile(waits, 0.5)) << " ms | "
              << milliseconds(percentile(waits, 0.99)) << " ms | "
              << static_cast<double>(flooded) / time << " |\n";
}

} // namespace

int main(int argc, char**)
{
    if (argc != 1) {
        std::cerr << "usage: pool-sim-isolation\nPrints the tables of docs/isolation.md.\n";
        return 2;
    }
    std::cout << "| acquires a second | same key | respawns a second | p50 wait | p99 wait "
                 "| waiting at the end |\n|---:|---:|---:|---:|---:|---:|\n"
              << std::fixed;
    for (const double rate : {1.0, 2.0, 4.0, 6.0, 8.0, 12.0, 20.0}) {
        crowd c;
        c.rate = rate;
        const outcome r = run(c);
        std::cout << std::setprecision(0) << "| " << rate << " | "
                  << 100 * static_cast<double>(r.same_key) / static_cast<double>(r.served)
                  << " % | " << std::setprecision(1) << r.respawns << " | " << std::setprecision(0)
                  << milliseconds(r.p50) << " ms | " << milliseconds(r.p99) << " ms | " << r.waiting
                  << " |\n";
    }
    std::cout << "\n| `max_starting` | `fifo` | `fair` |\n|---:|---:|---:|\n"
              << std::setprecision(1);
    for (const std::size_t starting : {2u, 4u, 10u}) {
        crowd c;
        c.max_starting = starting;
        std::cout << "| " << starting << " | " << limit(c) << " | ";
        c.queue = queue_policy::fair;
        std::cout << limit(c) << " |\n";
    }
    std::cout
        << "\n| | p50 wait | p99 wait | leases a second of the flood |\n|---|---:|---:|---:|\n"
        << std::setprecision(0);
    for (const neighbours& n : {neighbours{"alone", 0, queue_policy::fifo, 0},
             neighbours{"`fifo`", 500, queue_policy::fifo, 0},
             neighbours{"`fair`", 500, queue_policy::fair, 0},
             neighbours{"`fair`, `max_leases_per_key` 9", 500, queue_policy::fair, 9}})
        neighbourhood(n);
    return 0;
}
