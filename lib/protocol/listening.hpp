// What a client listens to in the modern era: one filter as it changes over time, and the
// `subscriptions/listen` requests that it takes. Source: MCP 2026-07-28, basic/patterns/subscriptions.
#pragma once

#include <mcp_pool/detail/duration.hpp>
#include <mcp_pool/detail/namespaces.hpp>

#include <boost/json/object.hpp>

#include <chrono>
#include <compare>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mcp_pool::protocol {

// Something that a server can tell of.
struct topic
{
    enum class kind {
        // The list of tools, of prompts, of resources.
        tools,
        prompts,
        resources,
        // A resource.
        resource,
    };

    kind of = kind::resource;
    // Of a resource; else empty.
    std::string uri;

    explicit topic(kind k)
        : of(k)
    {}
    explicit topic(std::string resource)
        : uri(std::move(resource))
    {}

    auto operator<=>(const topic&) const = default;
};

using topics = std::set<topic>;

// The list that a notification with this method is about; unset if it is about none.
std::optional<topic::kind> changed_list(std::string_view method) noexcept;

// As the member `notifications` of a listen request, and back. What is no filter has no topics.
json::object filter_of(const topics& wanted);
topics topics_of(const json::object& filter);

// The listen request that a notification came through; unset where it names none of ours.
// Source: MCP 2026-07-28, schema, "NotificationMetaObject".
std::optional<std::int64_t> subscription_of(const json::object& params) noexcept;

struct listening_settings
{
    // After which an acknowledgement that nobody waits for is taken not to come.
    duration patience = std::chrono::seconds(60);
    // How long the former request is still heard after the one that replaces it was acknowledged: where
    // they do not share one stream, what it has brought before may come later.
    duration overlap = duration::zero();

    listening_settings() = default;
};

// Every input that says `news` has told what became of topics; next() says what to send, and is asked
// after each input and at due().
//
// A changed filter is a new request. The former one is heard until the new one is acknowledged, so that
// nothing is missed; from then on only the new one is, so that nothing is told twice where both share
// one stream of messages. Where they do not, what the former one brings late is told unless the new one
// has told the same before.
//
// An end that was not asked for is followed by a new request: at first after first_pause, then after
// twice the last pause; after max_tries in a row the topics are given up.
class listening
{
public:
    static constexpr unsigned max_tries = 8;
    static constexpr duration first_pause = std::chrono::milliseconds(250);
    static constexpr duration longest_pause = std::chrono::seconds(30);
    // A request that was acknowledged for so long does not count as a try in vain.
    static constexpr duration steady = std::chrono::seconds(30);

    struct action
    {
        enum class kind {
            nothing,
            // Send a request for wanted() with a new id, and call sent() with it.
            listen,
            // Tell the server that nobody waits for the request with `id`.
            cancel,
        };

        kind what = kind::nothing;
        std::int64_t id = 0;

        action() = default;
    };

    struct news
    {
        // Told of from now on.
        topics granted;
        // Not told of, and not wanted any more.
        topics refused;
        // Of these something may have been missed: they were not listened to for a while, or will not
        // be any more.
        topics missed;

        news() = default;
    };

    explicit listening(listening_settings settings = listening_settings());

    // Topics that are wanted already change nothing.
    void want(topic t);
    void unwant(const topic& t);
    void unwant_all();
    [[nodiscard]] const topics& wanted() const noexcept { return wanted_; }
    // Wanted and acknowledged once, though it may have to be listened to anew.
    [[nodiscard]] bool keeps(const topic& t) const;

    [[nodiscard]] action next(time_point now);
    void sent(std::int64_t id, time_point now);
    // Gives up what was not acknowledged in time, though nobody waits for it.
    news tick(time_point now);
    // When tick() and next() may have something to say though nothing happens; time_point::max() for
    // never.
    [[nodiscard]] time_point due() const;

    // Whether a request with this id was sent and has not ended.
    [[nodiscard]] bool knows(std::int64_t id) const noexcept;

    // Each does nothing for ids that are not known.
    news acknowledged(std::int64_t id, const topics& honoured, time_point now);
    // By a result, an error, `notifications/cancelled`, or the loss of its stream.
    news ended(std::int64_t id, time_point now);
    // The connection has ended.
    void forget() noexcept;

    // Whether somebody is to be told of what came through this request about this topic: for a
    // resource, one that is wanted or a part of one.
    [[nodiscard]] bool tells(std::int64_t id, const topic& about);

private:
    struct request
    {
        std::int64_t id = 0;
        // Asked for; once acknowledged what is honoured of it.
        topics filter;
        // When it was sent, or acknowledged.
        time_point since{};

        request() = default;
    };

    [[nodiscard]] bool wants(const topic& about) const;
    // What is wanted and was never acknowledged.
    [[nodiscard]] topics fresh() const;
    [[nodiscard]] bool satisfied() const noexcept;
    void retire(request&& former, time_point now);
    void refuse(const topics& which, news& into);
    void tried_in_vain(time_point now, news& into);

    listening_settings settings_;
    topics wanted_;
    // Acknowledged.
    std::optional<request> present_;
    // Sent, not acknowledged.
    std::optional<request> coming_;
    // Replaced, and heard until `since`.
    std::vector<request> former_;
    // What has been told since, while there is a former one.
    topics told_;
    std::vector<std::int64_t> to_cancel_;
    // Wanted, acknowledged once, not listened to at present.
    topics interrupted_;
    // In a row.
    unsigned failures_ = 0;
    time_point retry_at_ = time_point::min();
    // The last request for less than what is listened to has failed; the rest is not told.
    bool content_with_more_ = false;
};

} // namespace mcp_pool::protocol
