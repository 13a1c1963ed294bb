// A scenario against a pool as users have it, with scripted sessions, on a context of this thread.
#include "support/witness.hpp"
#include "target.hpp"

#include <mcp_pool/mcp_pool.hpp>
#include <mcp_pool/testing/scripted_server.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/io_context.hpp>

#include <algorithm>
#include <chrono>
#include <map>
#include <set>

namespace mcp_pool::scenario {

namespace {

using testing::seen;

constexpr const char* refused_start = "refused by the scenario";

struct user
{
    fate what;
    lease held;
    asio::cancellation_signal signal;
};

// What the server does; on the strands of sessions, which all run on the thread of the test.
struct manners
{
    bool modern = false, mute = false, hold = false;
    std::size_t hanging = 0;
    // Sessions whose starts never come to an end.
    std::set<std::size_t> hung;

    std::optional<testing::reply> answer(const testing::call& c)
    {
        if (c.method != (modern ? "server/discover" : "initialize")) {
            const bool never = mute || c.method == "tools/call";
            return never ? std::optional(testing::reply::silence()) : std::nullopt;
        }
        if (is_start(c.session) && hanging != 0) {
            --hanging;
            hung.insert(c.session);
        }
        if (hung.contains(c.session))
            return testing::reply::silence();
        if (!hold)
            return std::nullopt;
        return testing::reply::result(welcome()).held();
    }

private:
    // The first word of a session; in the modern era a probe looks the same.
    bool is_start(std::size_t session) { return known_.insert(session).second; }

    [[nodiscard]] json::object welcome() const
    {
        json::object result;
        if (modern) {
            result["resultType"] = "complete";
            result["supportedVersions"] = json::array(1, json::value("2026-07-28"));
        } else {
            result["protocolVersion"] = "2025-11-25";
            result["serverInfo"] = json::object();
        }
        result["capabilities"] = json::object();
        return result;
    }

    std::set<std::size_t> known_;
};

class pool_target final : public target
{
public:
    explicit pool_target(const scenario& s)
        : server_(s.modern ? testing::personality::modern : testing::personality::legacy)
        , pool_(context_.get_executor(), config(s), server_.source())
    {
        manners_->modern = s.modern;
        server_.on_request([m = manners_](const testing::call& c) { return m->answer(c); });
        pool_.set_observer(told_);
    }

    void start() override { pool_.start(); }

    void acquire(
        const std::string& as, const std::string& key, std::optional<duration> timeout) override
    {
        user& u = users_[as];
        acquire_options options;
        options.isolation_key = key;
        options.timeout = timeout;
        pool_.async_acquire(std::move(options),
            asio::bind_cancellation_slot(u.signal.slot(), [&u](error_code code, lease l) {
                u.what.is = code ? name_of(code) : "leased";
                if (!code)
                    u.what.session = l->id();
                u.held = std::move(l);
            }));
    }
    void try_acquire(const std::string& as, const std::string& key) override
    {
        user& u = users_[as];
        acquire_options options;
        options.isolation_key = key;
        u.held = pool_.try_acquire(std::move(options));
        u.what.is = u.held ? "leased" : "nothing";
        u.what.session = u.held ? u.held->id() : 0;
    }
    void release(const std::string& lease, const std::string& how) override
    {
        user& u = users_.at(lease);
        u.what.is = "returned";
        if (how == "discard")
            return u.held.discard();
        if (how == "suspect")
            u.held.mark_dirty(dirt::probe);
        u.held.release();
    }
    void cancel(const std::string& acquire) override
    {
        users_.at(acquire).signal.emit(asio::cancellation_type::terminal);
    }
    void detach(const std::string& lease) override { users_.at(lease).held.detach(); }
    void ping(const std::string& lease) override
    {
        bool done = false;
        users_.at(lease).held->async_ping({}, [&done](error_code) { done = true; });
        if (!await([&done] { return done; }))
            throw std::logic_error("a ping has come to no end");
    }
    void leave_a_call(const std::string& lease) override
    {
        users_.at(lease).held->async_call_tool("echo", {}, {}, [](error_code, tool_result) {});
        // The lease ends with the call at the server, not on its way.
        settle();
    }
    void resize(const pool_overrides& limits) override
    {
        pool_limits l;
        l.min_size = limits.min_size;
        l.max_size = limits.max_size;
        l.max_starting = limits.max_starting;
        l.max_waiters = limits.max_waiters;
        pool_.resize(l);
    }
    void evict_all() override { pool_.evict_all(); }
    void close(duration deadline) override
    {
        pool_.async_close(deadline, [](error_code, close_report) {});
    }

    void mute(bool on) override { manners_->mute = on; }
    void hold_starts(bool on) override { manners_->hold = on; }
    void let_starts() override { server_.release(); }
    void fail_starts(std::size_t count, bool permanent, bool exhausted) override
    {
        server_.fail_starts(count, exhausted ? errc::resource_exhausted : errc::start_failed,
            refused_start, permanent);
    }
    void hang_starts(std::size_t count) override { manners_->hanging = count; }
    void die(std::uint64_t session) override
    {
        // The server counts those of its sessions that got a process.
        std::set<std::uint64_t> without;
        for (const seen& e : told_->all("start_failed")) {
            if (e.text.find(refused_start) != std::string::npos)
                without.insert(e.session);
        }
        std::size_t number = 0;
        for (const seen& e : told_->all("starting"))
            number += e.session <= session && !without.contains(e.session) ? 1 : 0;
        server_.kill(number);
    }

    void settle() override
    {
        do
            context_.restart();
        while (context_.poll() != 0);
    }
    void advance(duration) override { throw std::logic_error("real time cannot be advanced"); }
    bool await(const std::function<bool()>& done) override
    {
        const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(30);
        for (settle(); !done(); settle()) {
            if (std::chrono::steady_clock::now() > limit)
                return false;
            context_.restart();
            context_.run_one_for(std::chrono::milliseconds(100));
        }
        return true;
    }

    [[nodiscard]] fate fate_of(const std::string& acquire) const override
    {
        return users_.at(acquire).what;
    }
    [[nodiscard]] std::vector<std::string> events() const override
    {
        std::vector<std::string> lines;
        for (const seen& e : told_->in_order()) {
            // A machine that is busy elsewhere is not the scenario's.
            if (e.what != "stalled")
                lines.push_back(event_line(e.what, e.session, e.reason, e.code, e.good, e.count));
        }
        return lines;
    }
    [[nodiscard]] std::optional<std::uint64_t> stat(std::string_view name) const override
    {
        const pool_stats s = pool_.stats();
        const std::map<std::string_view, std::uint64_t> all{{"pool_size", s.pool_size},
            {"available", s.available}, {"in_use", s.in_use}, {"starting", s.starting},
            {"probing", s.probing}, {"resetting", s.resetting}, {"stopping", s.stopping},
            {"waiting", s.waiting}, {"max_size", s.max_size}, {"created", s.created},
            {"start_failures", s.start_failures}, {"total_requests", s.total_requests},
            {"reused", s.reused}, {"hits", s.hits}, {"timed_out", s.timed_out},
            {"cancelled", s.cancelled}, {"rejected", s.rejected}, {"failed", s.failed},
            {"probes", s.probes}, {"resets", s.resets}, {"overdue", s.overdue}};
        const auto found = all.find(name);
        return found == all.end() ? std::nullopt : std::optional(found->second);
    }

private:
    static server_config config(const scenario& s)
    {
        stdio_server process;
        process.command = "scripted";
        server_config c(s.name, std::move(process));
        c.era = s.modern ? era_choice::modern : era_choice::legacy;
        c.pool = s.options;
        return c;
    }

    // Outlive the context, whose handlers refer to them.
    std::map<std::string, user> users_;
    const std::shared_ptr<manners> manners_ = std::make_shared<manners>();
    const std::shared_ptr<testing::witness> told_ = std::make_shared<testing::witness>();
    asio::io_context context_;
    testing::scripted_server server_;
    session_pool pool_;
};

} // namespace

std::unique_ptr<target> make_pool(const scenario& s)
{
    return std::make_unique<pool_target>(s);
}

} // namespace mcp_pool::scenario
