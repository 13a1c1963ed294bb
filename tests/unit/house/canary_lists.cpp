// Compiled at configure time, once for each FORM: which temporaries made of an initializer_list the
// compiler takes inside a full expression with co_await. g++ 12 rejects them ("array used as
// initializer"). No library is included: the answer is the compiler's alone, and quick.

#include <coroutine>
#include <map>
#include <string>
#include <vector>

struct task
{
    struct promise_type
    {
        task get_return_object() { return {}; }
        std::suspend_never initial_suspend() noexcept { return {}; }
        std::suspend_never final_suspend() noexcept { return {}; }
        void return_void() {}
        void unhandled_exception() {}
    };
};

std::suspend_never take(std::vector<std::string> arguments);
std::suspend_never take_map(std::map<std::string, std::string> variables);

task form()
{
#if FORM == 0
    // The form the library and its examples use; it also shows that this file compiles at all.
    std::vector<std::string> arguments{"--verbose", "--port"};
    co_await take(std::move(arguments));
#elif FORM == 1
    co_await take(std::vector<std::string>{"--verbose", "--port"});
#elif FORM == 2
    co_await take({"--verbose", "--port"});
#elif FORM == 3
    co_await take_map({{"LANG", "C"}, {"TERM", "dumb"}});
#endif
}
