// What the compiler makes of temporaries inside a full expression with co_await.
//
// g++ 12 destroys some of them twice. The first suite holds the forms that the library's interface,
// its examples and its own sources rely on: they must be right on every compiler. The second one is
// the table of what is known to be wrong, the reason behind the rules in CONTRIBUTING.md.

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/json/object.hpp>
#include <boost/test/unit_test.hpp>

#include <chrono>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace asio = boost::asio;
namespace json = boost::json;
using asio::awaitable;

namespace {

// Counts its objects: the balance is negative after a double destruction, positive after a leak.
// Harmless itself, as the compiler's mistake is what we look for.
struct witness
{
    static inline int balance = 0;

    witness() { ++balance; }
    witness(const witness&) { ++balance; }
    witness(witness&&) noexcept { ++balance; }
    witness& operator=(const witness&) = default;
    witness& operator=(witness&&) noexcept = default;
    ~witness() { --balance; }
};

// What no type of our interface is.
struct aggregate
{
    int number = 0;
    witness seen;
};

// What every type of our interface is.
struct declared
{
    int number = 0;
    witness seen;

    declared() = default;
    declared(int n)
        : number(n)
    {}
    template <class Rep, class Period>
    declared(std::chrono::duration<Rep, Period>)
    {}
};

// As our initiations are.
struct named_function
{
    witness seen;

    explicit named_function(witness w)
        : seen(std::move(w))
    {}
    void operator()() const {}
};

awaitable<void> take(aggregate)
{
    co_return;
}

awaitable<void> take_reference(const aggregate&)
{
    co_return;
}

awaitable<void> take_default(aggregate = {})
{
    co_return;
}

awaitable<void> take_optional(std::optional<aggregate>)
{
    co_return;
}

awaitable<void> take_declared(declared = {})
{
    co_return;
}

// An ordinary function in front of the coroutine, as our members are.
awaitable<void> forward_declared(declared options = {})
{
    return take_declared(std::move(options));
}

awaitable<void> take_optional_declared(std::optional<declared>)
{
    co_return;
}

awaitable<void> take_pointer(std::shared_ptr<witness>)
{
    co_return;
}

awaitable<void> take_object(std::string, json::object, declared = {})
{
    co_return;
}

template <class Function>
awaitable<void> take_function(Function)
{
    co_return;
}

awaitable<void> take_any_function(std::function<void()>)
{
    co_return;
}

awaitable<int> number()
{
    co_return 1;
}

// Objects that are left after the coroutine has run: 0 is right.
int balance_of(awaitable<void> (*form)())
{
    witness::balance = 0;
    asio::io_context context;
    std::exception_ptr failure;
    asio::co_spawn(context, form(), [&](std::exception_ptr e) { failure = e; });
    context.run();
    BOOST_TEST(!failure);
    return witness::balance;
}

// The forms that we rely on.

awaitable<void> constructed_temporary()
{
    co_await take_declared(declared(1));
}

awaitable<void> implicit_conversion()
{
    co_await forward_declared(std::chrono::seconds(30));
}

awaitable<void> default_argument()
{
    co_await forward_declared();
}

awaitable<void> empty_braces()
{
    co_await forward_declared({});
}

awaitable<void> declared_in_optional()
{
    co_await take_optional_declared(declared(1));
}

awaitable<void> shared_pointer()
{
    co_await take_pointer(std::make_shared<witness>());
}

awaitable<void> named_aggregate()
{
    aggregate named{1, {}};
    co_await take(std::move(named));
}

awaitable<void> named_lambda()
{
    auto named = [w = witness()] { (void)w; };
    co_await take_function(std::move(named));
}

awaitable<void> named_lambda_in_function()
{
    std::function<void()> named = [w = witness()] { (void)w; };
    co_await take_any_function(std::move(named));
}

awaitable<void> named_struct_of_a_function()
{
    co_await take_function(named_function(witness()));
}

awaitable<void> named_json()
{
    json::object arguments;
    arguments["message"] = "hi";
    co_await take_object("echo", std::move(arguments), std::chrono::seconds(1));
}

awaitable<void> result_named_before_it_is_put_into_an_aggregate()
{
    const int n = co_await number();
    aggregate made{n, {}};
    (void)made;
}

// The forms that g++ 12 gets wrong.

awaitable<void> braced_aggregate()
{
    co_await take(aggregate{1, {}});
}

awaitable<void> designated_aggregate()
{
    co_await take({.number = 1, .seen = {}});
}

awaitable<void> aggregate_by_reference()
{
    co_await take_reference(aggregate{1, {}});
}

awaitable<void> aggregate_as_default_argument()
{
    co_await take_default();
}

awaitable<void> aggregate_in_optional()
{
    co_await take_optional(aggregate{1, {}});
}

awaitable<void> capturing_lambda()
{
    co_await take_function([w = witness()] { (void)w; });
}

awaitable<void> capturing_lambda_in_function()
{
    co_await take_any_function([w = witness()] { (void)w; });
}

awaitable<void> aggregate_around_a_co_await()
{
    const aggregate made{co_await number(), {}};
    (void)made;
}

awaitable<void> aggregate_temporary_around_a_co_await()
{
    (void)aggregate{co_await number(), {}};
}

struct known_form
{
    const char* name;
    awaitable<void> (*form)();
    // Balance after g++ 12.2.
    int gcc_12;
};

const known_form hazards[] = {
    {"aggregate temporary", braced_aggregate, -1},
    {"designated initialisers", designated_aggregate, -1},
    {"aggregate temporary by const&", aggregate_by_reference, -1},
    {"aggregate as default argument", aggregate_as_default_argument, -1},
    {"aggregate temporary inside optional", aggregate_in_optional, -1},
    {"capturing lambda", capturing_lambda, -1},
    {"capturing lambda as std::function", capturing_lambda_in_function, -1},
    {"aggregate initialised with a co_await", aggregate_around_a_co_await, -1},
    {"aggregate temporary around a co_await", aggregate_temporary_around_a_co_await, -1},
};

#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ == 12
constexpr bool is_gcc_12 = true;
#else
constexpr bool is_gcc_12 = false;
#endif

} // namespace

BOOST_AUTO_TEST_SUITE(compiler_canary)

BOOST_AUTO_TEST_CASE(the_forms_that_we_rely_on_are_destroyed_once)
{
    BOOST_TEST(balance_of(constructed_temporary) == 0);
    BOOST_TEST(balance_of(implicit_conversion) == 0);
    BOOST_TEST(balance_of(default_argument) == 0);
    BOOST_TEST(balance_of(empty_braces) == 0);
    BOOST_TEST(balance_of(declared_in_optional) == 0);
    BOOST_TEST(balance_of(shared_pointer) == 0);
    BOOST_TEST(balance_of(named_aggregate) == 0);
    BOOST_TEST(balance_of(named_lambda) == 0);
    BOOST_TEST(balance_of(named_lambda_in_function) == 0);
    BOOST_TEST(balance_of(named_struct_of_a_function) == 0);
    BOOST_TEST(balance_of(named_json) == 0);
    BOOST_TEST(balance_of(result_named_before_it_is_put_into_an_aggregate) == 0);
}

// A form that this compiler treats otherwise than the table says makes the rules in CONTRIBUTING.md
// wrong, in one direction or the other.
BOOST_AUTO_TEST_CASE(the_table_of_hazards_holds_for_this_compiler)
{
    for (const known_form& hazard : hazards)
        BOOST_TEST_CONTEXT(hazard.name)
    BOOST_TEST(balance_of(hazard.form) == (is_gcc_12 ? hazard.gcc_12 : 0));
}

BOOST_AUTO_TEST_CASE(named_lists_compile_and_list_temporaries_do_not_on_gcc_12)
{
    BOOST_TEST(MCP_POOL_CANARY_NAMED_LIST);
    BOOST_TEST(MCP_POOL_CANARY_VECTOR_TEMPORARY == !is_gcc_12);
    BOOST_TEST(MCP_POOL_CANARY_BRACED_ARGUMENT == !is_gcc_12);
    BOOST_TEST(MCP_POOL_CANARY_MAP_ARGUMENT == !is_gcc_12);
}

BOOST_AUTO_TEST_SUITE_END()
