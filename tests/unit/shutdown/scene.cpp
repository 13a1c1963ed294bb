#include "unit/shutdown/scene.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/test/unit_test.hpp>

#include <dirent.h>

namespace mcp_pool::test {

using namespace testing;

namespace {

pool_overrides options()
{
    pool_overrides o;
    o.max_size = 3;
    o.min_size = 1;
    return o;
}

server_config config()
{
    stdio_server process;
    process.command = "scripted";
    server_config c("scripted", std::move(process));
    c.pool = options();
    return c;
}

// Users know that the pool may have gone meanwhile.
using pool_pointer = std::unique_ptr<session_pool>;

asio::awaitable<void> user(ledger::frame, const pool_pointer& pool, int rounds)
{
    for (int i = 0; pool && i != rounds; ++i) {
        lease mine = co_await pool->acquire(30s);
        json::object arguments;
        arguments["message"] = "hi";
        const tool_result result = co_await mine->call_tool("echo", std::move(arguments));
        BOOST_TEST(result.text() == "hi");
    }
}

asio::awaitable<void> suspicious_user(ledger::frame, const pool_pointer& pool)
{
    if (!pool)
        co_return;
    lease mine = co_await pool->acquire(30s);
    mine.mark_dirty(dirt::probe);
}

asio::awaitable<void> user_of_either(ledger::frame, const pool_pointer& pool)
{
    using namespace asio::experimental::awaitable_operators;
    if (!pool)
        co_return;
    const auto either = co_await (pool->acquire(30s) || pool->acquire(30s));
    BOOST_TEST(static_cast<bool>(either.index() == 0 ? std::get<0>(either) : std::get<1>(either)));
}

asio::awaitable<void> closer(ledger::frame, const pool_pointer& pool)
{
    if (pool)
        co_await pool->close(20s);
}

pool_limits at_most(std::size_t sessions)
{
    pool_limits limits;
    limits.max_size = sessions;
    return limits;
}

} // namespace

std::size_t open_descriptors()
{
    std::size_t count = 0;
    DIR* const folder = ::opendir("/proc/self/fd");
    BOOST_REQUIRE(folder != nullptr);
    while (::readdir(folder) != nullptr)
        ++count;
    ::closedir(folder);
    return count;
}

scene::scene(ledger& books, personality manner, neighbours place)
    : books_(books)
    , server_(manner)
    , users_(place == neighbours::apart ? std::make_unique<asio::io_context>() : nullptr)
{
    server_.on_request([this](const testing::call& c) -> std::optional<reply> {
        const json::value* const tool = c.params.if_contains("name");
        if (c.method != "tools/call" || *tool == "echo")
            return std::nullopt;
        hanging_ = hanging_ || *tool == "hang";
        return *tool == "hang" ? reply::silence() : reply::die();
    });
    pool_ = std::make_unique<session_pool>(home_->get_executor(), config(), server_.source());
    enter(phase::users);
}

scene::~scene() = default;

template <class F>
auto scene::on_users(F f)
{
    return asio::bind_executor(users().get_executor(), books_.keep(std::move(f)));
}

void scene::spawn(asio::awaitable<void> work, error_code expected)
{
    ++busy_;
    asio::co_spawn(
        users(), std::move(work), on_users([this, expected](const std::exception_ptr& failure) {
            expect(detail::code_of(failure) == expected);
            --busy_;
        }));
}

void scene::acquire_to_keep(std::size_t leases)
{
    for (std::size_t n = leases_.size(); n != leases; ++n) {
        ++busy_;
        pool_->async_acquire(30s, on_users([this](error_code code, lease mine) {
            expect(!code);
            leases_.push_back(std::move(mine));
            --busy_;
        }));
    }
}

// A call that is not going to bring a result.
void scene::call(lease& with, const char* tool)
{
    ++busy_;
    with->async_call_tool(tool, {}, {}, on_users([this](error_code code, const tool_result&) {
        BOOST_TEST(static_cast<bool>(code));
        --busy_;
    }));
}

bool scene::run_one()
{
    for (asio::io_context* const context : {home_.get(), users_.get()}) {
        if (!context)
            continue;
        context->restart();
        if (context->poll_one() != 0)
            return true;
    }
    return false;
}

bool scene::run(std::size_t handlers)
{
    for (; handlers != 0; --handlers) {
        if (!run_one()) {
            BOOST_REQUIRE_MESSAGE(phase_ == phase::over,
                "the scene waits for time to pass in phase " << static_cast<int>(phase_));
            return true;
        }
        ++handlers_;
        advance();
    }
    return false;
}

void scene::expect(bool outcome, std::source_location where) const
{
    BOOST_TEST((outcome || cut_off_), "another outcome than expected at line " << where.line());
}

void scene::destroy(std::string_view order)
{
    cut_off_ = true;
    for (const char what : order) {
        switch (what) {
        case 'r':
            while (run_one()) {
            }
            break;
        case 'p':
            pool_.reset();
            break;
        case 'l':
            leases_.clear();
            promised_ = {};
            break;
        case 'c':
            home_.reset();
            break;
        case 'u':
            users_.reset();
            break;
        default:
            BOOST_FAIL("there is no such thing as " << what);
        }
        if (pool_ && !home_ && !users_) {
            // What is out is what we hold, and nothing else is left.
            const pool_stats now = pool_->stats();
            BOOST_TEST(now.in_use >= leases_.size());
            BOOST_TEST(now.in_use <= leases_.size() + (promised_.valid() ? 1 : 0));
            BOOST_TEST(now.available + now.starting + now.stopping + now.waiting == 0u);
            BOOST_TEST(now.probing + now.resetting == 0u);
        }
    }
}

bool scene::is_settled() const
{
    const pool_stats now = pool_->stats();
    return now.resetting + now.probing + now.starting + now.stopping + now.waiting == 0;
}

bool scene::may_go_on() const
{
    switch (phase_) {
    case phase::users:
        return busy_ == 0 && promised_.wait_for(0s) == std::future_status::ready;
    case phase::calling_in_vain:
        return hanging_;
    case phase::queueing:
        return leases_.size() == 2 && pool_->stats().waiting == 3;
    case phase::replacing:
        return leases_.size() == 2 && pool_->stats().waiting == 1;
    case phase::over:
        return false;
    case phase::closing:
        return pool_->stats().waiting == 0;
    case phase::returning:
        return closed_ && busy_ == 0;
    case phase::repairing:
    case phase::lending:
    case phase::dying:
    case phase::racing:
        return busy_ == 0 && is_settled();
    }
    return false;
}

void scene::advance()
{
    while (may_go_on())
        enter(static_cast<phase>(static_cast<int>(phase_) + 1));
}

void scene::enter(phase next)
{
    phase_ = next;
    session_pool& pool = *pool_;
    switch (next) {
    case phase::users:
        pool.start();
        ++busy_;
        pool.async_wait_ready(2, 30s, on_users([this](error_code code) {
            expect(!code);
            --busy_;
        }));
        for (int i = 0; i != 4; ++i)
            spawn(user(ledger::frame(books_), pool_, 2));
        // By itself a future is fulfilled on a thread of the system executor.
        promised_ = pool.async_acquire(
            30s, asio::bind_executor(users().get_executor(), asio::use_future));
        break;
    case phase::calling_in_vain:
        leases_.push_back(promised_.get());
        call(leases_.front(), "hang");
        break;
    case phase::repairing:
        leases_.clear();
        spawn(suspicious_user(ledger::frame(books_), pool_));
        spawn(user(ledger::frame(books_), pool_, 1));
        break;
    case phase::lending:
        acquire_to_keep(2);
        break;
    case phase::dying:
        call(leases_.front(), "die");
        spawn(user(ledger::frame(books_), pool_, 1));
        spawn(user(ledger::frame(books_), pool_, 1));
        break;
    case phase::queueing:
        leases_.erase(leases_.begin());
        pool.resize(at_most(2));
        acquire_to_keep(2);
        ++busy_;
        pool.async_acquire(30s,
            asio::bind_cancellation_slot(
                signal_.slot(), on_users([this](error_code code, const lease&) {
                    expect(code == asio::error::operation_aborted);
                    --busy_;
                })));
        spawn(user_of_either(ledger::frame(books_), pool_));
        break;
    case phase::racing:
        signal_.emit(asio::cancellation_type::total);
        // Both acquires of the race have their session before either handler runs.
        leases_.clear();
        break;
    case phase::replacing:
        pool.resize(at_most(4));
        pool.evict_all();
        pool.resize(at_most(2));
        acquire_to_keep(2);
        spawn(user(ledger::frame(books_), pool_, 1), errc::pool_closed);
        break;
    case phase::closing:
        pool.async_close(10s, on_users([this](error_code code, const close_report& report) {
            expect(!code);
            report_ = report;
            closed_ = true;
        }));
        spawn(closer(ledger::frame(books_), pool_));
        break;
    case phase::returning:
        leases_.clear();
        break;
    case phase::over:
        last_stats_ = pool.stats();
        break;
    }
}

} // namespace mcp_pool::test
