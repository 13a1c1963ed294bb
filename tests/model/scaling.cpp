// pool-sim-scaling: scaling = fixed beside adaptive, in virtual time.
#include "chart.hpp"
#include "virtual_load.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <numbers>

using namespace mcp_pool;
using namespace mcp_pool::test;
using namespace std::chrono_literals;

namespace {

constexpr time_point midnight{1h};

struct shape
{
    const char* name;
    const char* title;
    duration length, sample;
    time_axis axis;
    // Arrivals a second, by the seconds since the beginning.
    double (*rate)(double);
    // One in so many leases never comes back; 0: each does.
    unsigned lost;
};

constexpr duration mean_hold = 2s;

double day(double t)
{
    // Hardly anybody at four in the morning, twelve a second at four in the afternoon, and a dip at
    // noon.
    const double hour = t / 3600;
    const double wave = 0.5 - 0.5 * std::cos(2 * std::numbers::pi * (hour - 4) / 24);
    const double noon = std::exp(-(hour - 12.5) * (hour - 12.5) / 0.8);
    return 0.05 + 12 * wave * wave * (1 - 0.4 * noon);
}

double spike(double t)
{
    return t >= 300 && t < 360 ? 15 : 1;
}

double steady(double)
{
    return 2;
}

const shape shapes[] = {
    {"day", "A day: up to twelve acquires a second, held for 2 s", 24h, 5min,
        {"hour of the day", 24, 2}, day, 0},
    {"spike", "A spike: one acquire a second, for one minute fifteen, held for 2 s", 20min, 2s,
        {"time in minutes", 60, 2}, spike, 0},
    {"leak", "A slow leak: two acquires a second, held for 2 s; one lease in 400 never comes back",
        2h, 30s, {"time in minutes", 20, 10}, steady, 400},
};

struct policy
{
    const char* name;
    scaling_policy scaling;
    duration idle_timeout;
};

const policy policies[] = {
    {"`fixed`", scaling_policy::fixed, 10min},
    {"`fixed`, `idle_timeout` 30 s", scaling_policy::fixed, 30s},
    {"`adaptive`", scaling_policy::adaptive, 10min},
};

struct result
{
    std::vector<double> alive, leased, floor;
    std::vector<duration> waits;
    std::uint64_t started = 0;
    double session_hours = 0;
};

result run(const shape& what, const policy& how)
{
    load_settings s;
    s.options.max_size = 60;
    s.options.min_size = 2;
    s.options.max_starting = 4;
    s.options.probe_interval = 0s;
    s.options.scaling = how.scaling;
    s.options.idle_timeout = how.idle_timeout;
    s.stateless = true;
    // A server that needs one to three seconds.
    s.start_time = [random = chance(5)](std::size_t) mutable {
        return 1s + std::chrono::milliseconds(static_cast<int>(2000 * random.uniform()));
    };
    virtual_load load(s);
    load.core().start(midnight);
    result r;
    load.on_served = [&](const virtual_load::visit& v) { r.waits.push_back(v.served - v.arrived); };

    // Every policy sees the same users.
    chance random(11);
    constexpr double most = 16;
    std::function<void()> next;
    const auto since = [&] { return std::chrono::duration<double>(load.now() - midnight).count(); };
    next = [&] {
        const double t = since();
        if (random.uniform() < what.rate(t) / most) {
            const bool kept = what.lost != 0 && random.uniform() * what.lost < 1;
            load.arrive(load.now(), 0, {}, kept ? 2 * what.length : random.exponential(mean_hold));
        }
        load.at(load.now() + random.exponential(duration(1s) / static_cast<int>(most)), next);
    };
    load.at(midnight, next);
    for (time_point when = midnight; when <= midnight + what.length; when += what.sample) {
        load.run_until(when);
        r.alive.push_back(static_cast<double>(load.core().alive()));
        r.leased.push_back(static_cast<double>(load.core().leases()));
        r.floor.push_back(static_cast<double>(load.core().floor()));
        r.session_hours += static_cast<double>(load.core().size())
            * std::chrono::duration<double, std::ratio<3600>>(what.sample).count();
    }
    r.started = load.started();
    return r;
}

double milliseconds(duration d)
{
    return std::chrono::duration<double, std::milli>(d).count();
}

void row(const shape& what, const policy& how, const result& r)
{
    const auto waited = std::count_if(
        r.waits.begin(), r.waits.end(), [](duration d) { return d != 0s; });
    std::cout << std::fixed << std::setprecision(1) << "| " << what.name << " | " << how.name
              << " | " << r.waits.size() << " | "
              << 100 * static_cast<double>(waited) / static_cast<double>(r.waits.size()) << " % | "
              << std::setprecision(0) << milliseconds(percentile(r.waits, 0.99)) << " ms | "
              << milliseconds(percentile(r.waits, 0.999)) << " ms | " << r.started << " | "
              << std::setprecision(1) << r.session_hours << " |\n";
}

void write(const std::string& path, const std::string& text)
{
    std::ofstream file(path);
    file << text;
    if (!file.flush())
        throw std::runtime_error(path + " cannot be written");
}

} // namespace

int main(int argc, char** argv)
{
    const bool pictures = argc == 3 && std::strcmp(argv[1], "--pictures") == 0;
    if (argc != 1 && !pictures) {
        std::cerr << "usage: pool-sim-scaling [--pictures DIRECTORY]\n"
                     "Prints a table; writes scaling-*.svg and their data into the directory.\n";
        return 2;
    }
    std::cout << "| load | scaling | acquires | waited | p99 wait | p99.9 wait | sessions started "
                 "| session hours |\n|---|---|---:|---:|---:|---:|---:|---:|\n";
    for (const shape& what : shapes) {
        std::vector<result> results;
        for (const policy& how : policies) {
            results.push_back(run(what, how));
            row(what, how, results.back());
        }
        const result &fixed = results.front(), &adaptive = results.back();
        if (!pictures)
            continue;
        const std::string stem = std::string(argv[2]) + "/scaling-" + what.name;
        write(stem + ".svg",
            line_chart(what.title, what.axis, "number of sessions",
                {{"sessions with fixed", "#c0392b", fixed.alive},
                    {"sessions with adaptive", "#1f77b4", adaptive.alive},
                    {"leases", "#6f6f6f", adaptive.leased}}));
        std::string data = "sample,fixed,adaptive,leases,target\n";
        for (std::size_t i = 0; i != fixed.alive.size(); ++i) {
            data += std::to_string(i);
            for (const double v :
                {fixed.alive[i], adaptive.alive[i], adaptive.leased[i], adaptive.floor[i]})
                data += ',' + std::to_string(static_cast<int>(v));
            data += '\n';
        }
        write(stem + ".csv", data);
    }
    return 0;
}
