// The mutex of the hit path: that it excludes, and that whoever sleeps at it is woken.
#include "pool/light_mutex.hpp"

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

namespace {

constexpr int threads = 4;
constexpr int rounds = 20'000;

// What the threads share; whoever is forgotten at the mutex keeps it, not the test.
struct shared_count
{
    mcp_pool::detail::light_mutex mutex;
    // Protected by the mutex and by nothing else.
    int entered = 0;
    bool inside = false;
    std::atomic<bool> overlapped = false;
    std::atomic<int> finished = 0;
};

void come_and_go(const std::shared_ptr<shared_count>& s, int who)
{
    for (int i = 0; i != rounds; ++i) {
        const std::lock_guard lock(s->mutex);
        if (std::exchange(s->inside, true))
            s->overlapped = true;
        ++s->entered;
        // Now and then the hold takes so long that the others fall asleep.
        if ((i + who) % 256 == 0)
            for (int k = 0; k != 100; ++k)
                std::this_thread::yield();
        s->inside = false;
    }
    ++s->finished;
}

} // namespace

BOOST_AUTO_TEST_SUITE(light_mutex)

BOOST_AUTO_TEST_CASE(threads_exclude_each_other_and_none_is_forgotten_in_its_sleep)
{
    auto s = std::make_shared<shared_count>();
    for (int who = 0; who != threads; ++who)
        std::thread(come_and_go, s, who).detach();
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (s->finished != threads) {
        BOOST_TEST_REQUIRE((std::chrono::steady_clock::now() < limit), "a thread sleeps for ever");
        std::this_thread::yield();
    }
    const std::lock_guard lock(s->mutex);
    BOOST_TEST(s->entered == threads * rounds);
    BOOST_TEST(!s->overlapped);
}

BOOST_AUTO_TEST_SUITE_END()
