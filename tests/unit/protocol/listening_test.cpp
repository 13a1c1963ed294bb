// What is listened to in the modern era, as it changes.
#include "protocol/listening.hpp"

#include <boost/json/parse.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <deque>
#include <map>
#include <random>
#include <string>

using namespace mcp_pool;
using namespace mcp_pool::protocol;
using namespace std::chrono_literals;

namespace {

using what = listening::action::kind;

topics uris(std::initializer_list<const char*> names)
{
    topics t;
    for (const char* name : names)
        t.emplace(std::string(name));
    return t;
}

topic uri(std::string name)
{
    return topic(std::move(name));
}

// A machine whose requests are numbered from 1, and what it has sent.
struct bench
{
    explicit bench(listening_settings settings = listening_settings())
        : machine(settings)
    {}

    // Does what the machine wants; the listens and cancels of this time: "listen 2, cancel 1".
    std::string act()
    {
        std::string did;
        for (auto a = machine.next(now); a.what != what::nothing; a = machine.next(now)) {
            did += did.empty() ? "" : ", ";
            if (a.what == what::cancel) {
                did += "cancel " + std::to_string(a.id);
                continue;
            }
            machine.sent(++last, now);
            did += "listen " + std::to_string(last);
        }
        return did;
    }

    // Listens to these, acknowledged.
    void hear(std::initializer_list<const char*> names)
    {
        for (const char* name : names)
            machine.want(uri(name));
        act();
        machine.acknowledged(last, machine.wanted(), now);
        act();
    }

    listening machine;
    time_point now{1h};
    std::int64_t last = 0;
};

listening_settings streams()
{
    listening_settings s;
    s.overlap = 1s;
    return s;
}

} // namespace

BOOST_AUTO_TEST_SUITE(listening_machine)

BOOST_AUTO_TEST_CASE(a_filter_is_written_and_read)
{
    topics all = uris({"test:b", "test:a"});
    for (const auto list : {topic::kind::tools, topic::kind::prompts, topic::kind::resources})
        all.emplace(list);
    const json::object filter = filter_of(all);
    BOOST_TEST((filter
        == json::parse(R"({"toolsListChanged":true,"promptsListChanged":true,
            "resourcesListChanged":true,"resourceSubscriptions":["test:a","test:b"]})")
               .as_object()));
    BOOST_TEST((topics_of(filter) == all));
    BOOST_TEST(filter_of({}).empty());
    BOOST_TEST(topics_of(json::parse(R"({"toolsListChanged":false,"promptsListChanged":1,
        "resourceSubscriptions":[1,null],"other":true})")
                             .as_object())
                   .empty());
    BOOST_TEST(topics_of(json::parse(R"({"resourceSubscriptions":"test:a"})").as_object()).empty());
}

BOOST_AUTO_TEST_CASE(what_is_wanted_is_asked_for_and_told_once_it_is_acknowledged)
{
    bench b;
    BOOST_TEST(b.act() == "");
    b.machine.want(uri("a"));
    b.machine.want(uri("b"));
    b.machine.want(uri("a"));
    BOOST_TEST(b.act() == "listen 1");
    BOOST_TEST(b.act() == "");
    BOOST_TEST(!b.machine.tells(1, uri("a")));
    BOOST_TEST(!b.machine.keeps(uri("a")));
    const auto news = b.machine.acknowledged(1, uris({"a", "b", "unasked"}), b.now);
    BOOST_TEST((news.granted == uris({"a", "b"})));
    BOOST_TEST(news.refused.empty());
    BOOST_TEST(news.missed.empty());
    BOOST_TEST(b.machine.keeps(uri("a")));
    BOOST_TEST(b.machine.tells(1, uri("a")));
    // A part of a resource.
    BOOST_TEST(b.machine.tells(1, uri("a/part")));
    BOOST_TEST(!b.machine.tells(1, uri("unasked")));
    BOOST_TEST(!b.machine.tells(2, uri("a")));
    BOOST_TEST(!b.machine.tells(1, topic(topic::kind::tools)));
    // A second acknowledgement changes nothing.
    BOOST_TEST(b.machine.acknowledged(1, {}, b.now).refused.empty());
    BOOST_TEST(b.act() == "");
    BOOST_TEST((b.machine.due() == time_point::max()));
}

BOOST_AUTO_TEST_CASE(what_is_not_acknowledged_is_refused_and_the_rest_stays)
{
    bench b;
    b.machine.want(uri("a"));
    b.machine.want(uri("b"));
    b.act();
    const auto news = b.machine.acknowledged(1, uris({"b"}), b.now);
    BOOST_TEST((news.granted == uris({"b"})));
    BOOST_TEST((news.refused == uris({"a"})));
    BOOST_TEST((b.machine.wanted() == uris({"b"})));
    BOOST_TEST(b.act() == "");
}

BOOST_AUTO_TEST_CASE(a_request_of_which_nothing_is_honoured_is_ended)
{
    bench b;
    b.machine.want(uri("a"));
    b.act();
    BOOST_TEST((b.machine.acknowledged(1, {}, b.now).refused == uris({"a"})));
    BOOST_TEST(b.act() == "cancel 1");
    BOOST_TEST(!b.machine.knows(1));
    // The server ends it by itself meanwhile.
    BOOST_TEST(b.machine.ended(1, b.now).missed.empty());
    BOOST_TEST(b.act() == "");
}

BOOST_AUTO_TEST_CASE(the_former_request_is_heard_until_the_new_one_is_acknowledged)
{
    bench b;
    b.hear({"a"});
    b.machine.want(uri("b"));
    BOOST_TEST(b.act() == "listen 2");
    BOOST_TEST(b.machine.tells(1, uri("a")));
    BOOST_TEST(!b.machine.tells(2, uri("a")));
    b.machine.acknowledged(2, uris({"a", "b"}), b.now);
    BOOST_TEST(!b.machine.tells(1, uri("a")));
    BOOST_TEST(b.machine.tells(2, uri("a")));
    BOOST_TEST(b.act() == "cancel 1");
    BOOST_TEST(b.act() == "");
}

BOOST_AUTO_TEST_CASE(less_is_a_new_request_too_and_is_not_told_from_the_first_moment)
{
    bench b;
    b.hear({"a", "b"});
    b.machine.unwant(uri("b"));
    BOOST_TEST(!b.machine.tells(1, uri("b")));
    BOOST_TEST(b.act() == "listen 2");
    BOOST_TEST(b.machine.tells(1, uri("a")));
    b.machine.acknowledged(2, uris({"a"}), b.now);
    BOOST_TEST(b.act() == "cancel 1");
    b.machine.unwant(uri("a"));
    BOOST_TEST(b.act() == "cancel 2");
    BOOST_TEST(b.act() == "");
}

BOOST_AUTO_TEST_CASE(a_new_request_that_fails_leaves_the_former_one)
{
    bench b;
    b.hear({"a"});
    b.machine.want(uri("b"));
    b.act();
    const auto news = b.machine.ended(2, b.now);
    BOOST_TEST((news.refused == uris({"b"})));
    BOOST_TEST(news.missed.empty());
    BOOST_TEST(b.machine.tells(1, uri("a")));
    BOOST_TEST(b.act() == "");
    // Or one that gives less than there was.
    b.machine.want(uri("c"));
    b.act();
    BOOST_TEST((b.machine.acknowledged(3, uris({"c"}), b.now).refused == uris({"c"})));
    BOOST_TEST(b.act() == "cancel 3");
    BOOST_TEST(b.machine.tells(1, uri("a")));
}

BOOST_AUTO_TEST_CASE(who_cannot_have_less_is_content_with_more)
{
    for (const bool acknowledged : {true, false}) {
        bench b;
        b.hear({"a", "b"});
        b.machine.unwant(uri("b"));
        b.act();
        if (acknowledged)
            b.machine.acknowledged(2, {}, b.now);
        else
            b.machine.ended(2, b.now);
        BOOST_TEST(b.act() == (acknowledged ? "cancel 2" : ""));
        BOOST_TEST(b.machine.tells(1, uri("a")));
        BOOST_TEST(!b.machine.tells(1, uri("b")));
        BOOST_TEST((b.machine.due() == time_point::max()));
        // Until something is wanted anew.
        b.machine.want(uri("c"));
        BOOST_TEST(b.act() == "listen 3");
    }
}

BOOST_AUTO_TEST_CASE(what_is_superseded_before_it_is_acknowledged_is_cancelled)
{
    bench b;
    b.machine.want(uri("a"));
    BOOST_TEST(b.act() == "listen 1");
    b.machine.want(uri("b"));
    BOOST_TEST(b.act() == "cancel 1, listen 2");
    // Its acknowledgement was on its way.
    BOOST_TEST(b.machine.acknowledged(1, uris({"a"}), b.now).granted.empty());
    BOOST_TEST((b.machine.acknowledged(2, uris({"a", "b"}), b.now).granted == uris({"a", "b"})));
    // There and back again.
    b.machine.want(uri("c"));
    BOOST_TEST(b.act() == "listen 3");
    b.machine.unwant(uri("c"));
    BOOST_TEST(b.act() == "cancel 3");
    BOOST_TEST(b.machine.tells(2, uri("a")));
    b.machine.unwant(uri("b"));
    b.machine.want(uri("b"));
    BOOST_TEST(b.machine.keeps(uri("b")));
    BOOST_TEST(b.act() == "");
}

BOOST_AUTO_TEST_CASE(an_end_that_was_not_asked_for_is_followed_by_a_new_request_and_told)
{
    bench b;
    b.hear({"a"});
    BOOST_TEST(b.machine.ended(1, b.now).missed.empty());
    BOOST_TEST(b.machine.keeps(uri("a")));
    BOOST_TEST(b.act() == "");
    BOOST_TEST((b.machine.due() == b.now + listening::first_pause));
    // The second word of the same end.
    b.machine.ended(1, b.now);
    b.now += listening::first_pause;
    BOOST_TEST(b.act() == "listen 2");
    const auto news = b.machine.acknowledged(2, uris({"a"}), b.now);
    BOOST_TEST((news.granted == uris({"a"})));
    BOOST_TEST((news.missed == uris({"a"})));
    BOOST_TEST(b.machine.tells(2, uri("a")));
}

BOOST_AUTO_TEST_CASE(pauses_grow_and_after_so_many_tries_in_a_row_it_is_given_up)
{
    bench b;
    b.hear({"a"});
    listening::news news = b.machine.ended(1, b.now);
    std::vector<duration> pauses;
    while (b.machine.due() != time_point::max()) {
        pauses.push_back(b.machine.due() - b.now);
        b.now = b.machine.due();
        BOOST_TEST_REQUIRE(b.act() != "");
        // Acknowledged and ended at once is no success.
        b.machine.acknowledged(b.last, uris({"a"}), b.now);
        news = b.machine.ended(b.last, b.now);
    }
    BOOST_TEST((pauses
        == std::vector<duration>{250ms, 500ms, 1s, 2s, 4s, 8s, 16s, listening::longest_pause}));
    BOOST_TEST((news.refused == uris({"a"})));
    BOOST_TEST((news.missed == uris({"a"})));
    BOOST_TEST(b.machine.wanted().empty());
    BOOST_TEST(b.act() == "");
    // It may be wanted again.
    b.machine.want(uri("a"));
    BOOST_TEST(b.act() == "listen 10");
}

BOOST_AUTO_TEST_CASE(a_request_that_lasted_is_no_try_in_vain)
{
    bench b;
    b.hear({"a"});
    for (int i = 0; i != 20; ++i) {
        b.now += listening::steady;
        b.machine.ended(b.last, b.now);
        BOOST_TEST((b.machine.due() == b.now + listening::first_pause));
        b.now = b.machine.due();
        b.act();
        b.machine.acknowledged(b.last, uris({"a"}), b.now);
    }
}

BOOST_AUTO_TEST_CASE(who_wants_something_new_does_not_wait_for_the_pause)
{
    bench b;
    b.hear({"a"});
    b.machine.ended(1, b.now);
    b.machine.want(uri("b"));
    BOOST_TEST(b.act() == "listen 2");
    // What is new fails with the request, what was there before is tried again.
    BOOST_TEST((b.machine.ended(2, b.now).refused == uris({"b"})));
    BOOST_TEST((b.machine.wanted() == uris({"a"})));
    BOOST_TEST((b.machine.due() > b.now));
}

BOOST_AUTO_TEST_CASE(silence_is_given_up_where_nobody_waits_for_its_end)
{
    bench b;
    b.machine.want(uri("a"));
    b.act();
    b.now += 1h;
    BOOST_TEST((b.machine.due() == time_point::max()));
    BOOST_TEST(b.machine.tick(b.now).refused.empty());
    BOOST_TEST(b.act() == "");
    b.machine.acknowledged(1, uris({"a"}), b.now);
    b.machine.ended(1, b.now);
    b.now = b.machine.due();
    BOOST_TEST(b.act() == "listen 2");
    BOOST_TEST((b.machine.due() == b.now + 60s));
    b.now += 60s;
    BOOST_TEST(b.machine.tick(b.now).refused.empty());
    BOOST_TEST(b.act() == "cancel 2");
    BOOST_TEST((b.machine.due() > b.now));
}

BOOST_AUTO_TEST_CASE(where_streams_differ_the_former_one_is_heard_a_while_and_nothing_told_before)
{
    bench b(streams());
    b.hear({"a", "b"});
    b.machine.want(uri("c"));
    b.act();
    b.machine.acknowledged(2, uris({"a", "b", "c"}), b.now);
    BOOST_TEST(b.act() == "");
    BOOST_TEST(b.machine.tells(2, uri("a")));
    BOOST_TEST(!b.machine.tells(1, uri("a")));
    BOOST_TEST(b.machine.tells(1, uri("b")));
    BOOST_TEST((b.machine.due() == b.now + 1s));
    b.now += 1s;
    BOOST_TEST(b.act() == "cancel 1");
    BOOST_TEST(!b.machine.tells(1, uri("b")));
    // With the last topic everything ends at once.
    b.machine.want(uri("d"));
    b.act();
    b.machine.acknowledged(3, b.machine.wanted(), b.now);
    b.machine.unwant_all();
    BOOST_TEST(b.act() == "cancel 3, cancel 2");
}

BOOST_AUTO_TEST_CASE(after_the_connection_nothing_is_left)
{
    bench b(streams());
    b.hear({"a"});
    b.machine.want(uri("b"));
    b.act();
    b.machine.forget();
    BOOST_TEST(b.act() == "");
    BOOST_TEST((b.machine.due() == time_point::max()));
    BOOST_TEST(!b.machine.knows(1));
    BOOST_TEST(!b.machine.knows(2));
}

BOOST_AUTO_TEST_SUITE_END()

namespace {

// A server that keeps to the specification, at the other end of two queues, and ends what it likes.
class model
{
public:
    explicit model(std::uint32_t seed)
        : random_(seed)
    {}

    // Random steps, and then rest until nothing happens any more.
    void run()
    {
        for (int step = 0; step != 400; ++step)
            take_step();
        for (int step = 0; step != 200; ++step) {
            act();
            serve();
            deliver();
            if (machine_.due() != time_point::max() && to_server_.empty() && to_client_.empty())
                pass(machine_.due());
        }
        check();
    }

    std::size_t events = 0, told = 0, ends = 0, restarts = 0;

private:
    struct message
    {
        enum class kind { listen, cancel, acknowledged, event, end };

        kind what;
        std::int64_t id;
        topics filter;
        std::size_t event;
        std::string about;

        message(kind k, std::int64_t i, topics f = {}, std::size_t e = 0, std::string a = {})
            : what(k)
            , id(i)
            , filter(std::move(f))
            , event(e)
            , about(std::move(a))
        {}
    };

    struct happening
    {
        std::string about;
        // Granted when it happened, and ever since.
        bool owed = false;
        unsigned told = 0;

        explicit happening(std::string a)
            : about(std::move(a))
        {}
    };

    unsigned draw(unsigned n) { return std::uniform_int_distribution<unsigned>(0, n - 1)(random_); }
    std::string any() { return std::string(1, static_cast<char>('a' + draw(5))); }

    void take_step()
    {
        switch (draw(9)) {
        case 0: {
            const std::string name = any();
            machine_.want(uri(name));
            if (machine_.keeps(uri(name)))
                granted_.insert(uri(name));
            break;
        }
        case 1: {
            const std::string name = any();
            machine_.unwant(uri(name));
            no_more(uri(name));
            break;
        }
        case 2:
            act();
            break;
        case 3:
            serve();
            break;
        case 4:
        case 5:
            deliver();
            break;
        case 6:
        case 7:
            happen(any());
            break;
        case 8:
            if (draw(4) == 0)
                end_one();
            else
                pass(now_ + std::chrono::milliseconds(draw(400)));
            break;
        }
    }

    void pass(time_point until)
    {
        now_ = until;
        take(machine_.tick(now_));
    }

    void act()
    {
        for (auto a = machine_.next(now_); a.what != what::nothing; a = machine_.next(now_)) {
            if (a.what == what::cancel) {
                to_server_.emplace_back(message::kind::cancel, a.id);
                BOOST_TEST_REQUIRE(!machine_.knows(a.id));
                continue;
            }
            machine_.sent(++last_, now_);
            to_server_.emplace_back(message::kind::listen, last_, machine_.wanted());
            restarts += last_ > 1;
        }
    }

    // The server reads one message.
    void serve()
    {
        if (to_server_.empty())
            return;
        const message m = to_server_.front();
        to_server_.pop_front();
        if (m.what == message::kind::cancel) {
            open_.erase(m.id);
            return;
        }
        topics honoured = m.filter;
        // It has no such resource.
        honoured.erase(uri("e"));
        open_[m.id] = honoured;
        to_client_.emplace_back(message::kind::acknowledged, m.id, honoured);
        if (honoured.empty()) {
            open_.erase(m.id);
            to_client_.emplace_back(message::kind::end, m.id);
        }
        BOOST_TEST_REQUIRE(open_.size() <= 3u);
    }

    void happen(const std::string& name)
    {
        happenings_.emplace_back(name);
        happenings_.back().owed = granted_.contains(uri(name));
        ++events;
        for (const auto& [id, filter] : open_)
            if (filter.contains(uri(name)))
                to_client_.emplace_back(
                    message::kind::event, id, topics(), happenings_.size() - 1, name);
    }

    void end_one()
    {
        if (open_.empty())
            return;
        ++ends;
        const auto found = std::next(open_.begin(), draw(static_cast<unsigned>(open_.size())));
        to_client_.emplace_back(message::kind::end, found->first);
        // In both ways.
        to_client_.emplace_back(message::kind::end, found->first);
        open_.erase(found);
    }

    // The client reads one message.
    void deliver()
    {
        if (to_client_.empty())
            return;
        const message m = to_client_.front();
        to_client_.pop_front();
        if (m.what == message::kind::acknowledged) {
            take(machine_.acknowledged(m.id, m.filter, now_));
        } else if (m.what == message::kind::end) {
            take(machine_.ended(m.id, now_));
        } else if (machine_.tells(m.id, uri(m.about))) {
            ++told;
            BOOST_TEST_REQUIRE(machine_.wanted().contains(uri(m.about)));
            BOOST_TEST_REQUIRE(++happenings_[m.event].told == 1u);
        }
    }

    void take(const listening::news& news)
    {
        for (const topic& t : news.granted)
            if (machine_.wanted().contains(t))
                granted_.insert(t);
        for (const topic& t : news.refused)
            no_more(t);
        // Who is told to look for himself has missed nothing.
        for (const topic& t : news.missed)
            for (happening& h : happenings_)
                h.owed = h.owed && h.about != t.uri;
    }

    void no_more(const topic& t)
    {
        granted_.erase(t);
        for (happening& h : happenings_)
            h.owed = h.owed && h.about != t.uri;
    }

    void check()
    {
        BOOST_TEST_REQUIRE(to_client_.empty());
        BOOST_TEST_REQUIRE(to_server_.empty());
        BOOST_TEST_REQUIRE(open_.size() == (machine_.wanted().empty() ? 0u : 1u));
        // More than that where the server has ended a request for less.
        for (const topic& t : machine_.wanted())
            BOOST_TEST_REQUIRE(open_.begin()->second.contains(t));
        for (const happening& h : happenings_)
            if (h.owed)
                BOOST_TEST_REQUIRE(h.told == 1u);
    }

    std::mt19937 random_;
    listening machine_;
    time_point now_{1h};
    std::int64_t last_ = 0;
    std::deque<message> to_server_, to_client_;
    std::map<std::int64_t, topics> open_;
    topics granted_;
    std::vector<happening> happenings_;
};

} // namespace

BOOST_AUTO_TEST_SUITE(listening_model)

BOOST_AUTO_TEST_CASE(on_one_stream_nothing_is_missed_and_nothing_told_twice)
{
    std::size_t events = 0, told = 0, ends = 0, restarts = 0;
    for (std::uint32_t seed = 1; seed != 501; ++seed) {
        BOOST_TEST_CONTEXT("seed " << seed)
        {
            model m(seed);
            m.run();
            events += m.events;
            told += m.told;
            ends += m.ends;
            restarts += m.restarts;
        }
    }
    // It is no test of nothing.
    BOOST_TEST(events > 10'000u);
    BOOST_TEST(told > 2'000u);
    BOOST_TEST(ends > 1'000u);
    BOOST_TEST(restarts > 5'000u);
}

BOOST_AUTO_TEST_SUITE_END()
