#include "protocol/listening.hpp"

#include "rpc/json_text.hpp"

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

namespace mcp_pool::protocol {

namespace {

using rpc::json_view;

struct list_member
{
    topic::kind of;
    std::string_view name;
};

constexpr std::array list_members{
    list_member{topic::kind::tools, "toolsListChanged"},
    list_member{topic::kind::prompts, "promptsListChanged"},
    list_member{topic::kind::resources, "resourcesListChanged"},
};
constexpr std::string_view uris_member = "resourceSubscriptions";

bool within(const topics& part, const topics& whole)
{
    return std::includes(whole.begin(), whole.end(), part.begin(), part.end());
}

topics both(const topics& a, const topics& b)
{
    topics common;
    std::set_intersection(
        a.begin(), a.end(), b.begin(), b.end(), std::inserter(common, common.end()));
    return common;
}

topics without(const topics& a, const topics& b)
{
    topics rest;
    std::set_difference(a.begin(), a.end(), b.begin(), b.end(), std::inserter(rest, rest.end()));
    return rest;
}

} // namespace

std::optional<topic::kind> changed_list(std::string_view method) noexcept
{
    if (method == "notifications/tools/list_changed")
        return topic::kind::tools;
    if (method == "notifications/prompts/list_changed")
        return topic::kind::prompts;
    if (method == "notifications/resources/list_changed")
        return topic::kind::resources;
    return std::nullopt;
}

json::object filter_of(const topics& wanted)
{
    json::object filter;
    json::array uris;
    for (const topic& t : wanted) {
        if (t.of == topic::kind::resource) {
            uris.emplace_back(json_view(t.uri));
            continue;
        }
        for (const list_member& member : list_members)
            if (member.of == t.of)
                filter[json_view(member.name)] = true;
    }
    if (!uris.empty())
        filter[json_view(uris_member)] = std::move(uris);
    return filter;
}

topics topics_of(const json::object& filter)
{
    topics found;
    for (const list_member& member : list_members) {
        const json::value* const flag = filter.if_contains(json_view(member.name));
        if (flag && flag->is_bool() && flag->get_bool())
            found.emplace(member.of);
    }
    const json::value* const uris = filter.if_contains(json_view(uris_member));
    if (const json::array* const list = uris ? uris->if_array() : nullptr)
        for (const json::value& uri : *list)
            if (const json::string* const name = uri.if_string())
                found.emplace(std::string(name->data(), name->size()));
    return found;
}

std::optional<std::int64_t> subscription_of(const json::object& params) noexcept
{
    const json::value* const meta = params.if_contains("_meta");
    const json::object* const object = meta ? meta->if_object() : nullptr;
    const json::value* const id = object
        ? object->if_contains("io.modelcontextprotocol/subscriptionId")
        : nullptr;
    const std::int64_t* const number = id ? id->if_int64() : nullptr;
    return number ? std::optional(*number) : std::nullopt;
}

listening::listening(listening_settings settings)
    : settings_(settings)
{}

void listening::want(topic t)
{
    if (!wanted_.insert(std::move(t)).second)
        return;
    // Somebody asks anew, so the server is asked at once.
    retry_at_ = time_point::min();
    content_with_more_ = false;
}

void listening::unwant(const topic& t)
{
    wanted_.erase(t);
    interrupted_.erase(t);
}

void listening::unwant_all()
{
    wanted_.clear();
    interrupted_.clear();
}

bool listening::keeps(const topic& t) const
{
    return wanted_.contains(t)
        && (interrupted_.contains(t) || (present_ && present_->filter.contains(t)));
}

topics listening::fresh() const
{
    const topics unheard = present_ ? without(wanted_, present_->filter) : wanted_;
    return without(unheard, interrupted_);
}

bool listening::satisfied() const noexcept
{
    return present_
        && (present_->filter == wanted_
            || (content_with_more_ && within(wanted_, present_->filter)));
}

void listening::retire(request&& former, time_point now)
{
    if (settings_.overlap == duration::zero()) {
        to_cancel_.push_back(former.id);
        return;
    }
    former.since = detail::saturating_add(now, settings_.overlap);
    former_.push_back(std::move(former));
}

listening::action listening::next(time_point now)
{
    action act;
    // The former ones end in order of their retirement.
    if (!former_.empty() && (former_.front().since <= now || wanted_.empty())) {
        to_cancel_.push_back(former_.front().id);
        former_.erase(former_.begin());
        if (former_.empty())
            told_.clear();
    }
    // Nobody hears it: nothing is wanted, something else is, or the filter is what it was before.
    if (coming_ && (coming_->filter != wanted_ || satisfied())) {
        to_cancel_.push_back(coming_->id);
        coming_.reset();
    }
    if (present_ && wanted_.empty()) {
        to_cancel_.push_back(present_->id);
        present_.reset();
    }
    if (!to_cancel_.empty()) {
        act.what = action::kind::cancel;
        act.id = to_cancel_.back();
        to_cancel_.pop_back();
    } else if (!coming_ && !wanted_.empty() && !satisfied() && now >= retry_at_) {
        act.what = action::kind::listen;
    }
    return act;
}

void listening::sent(std::int64_t id, time_point now)
{
    coming_.emplace();
    coming_->id = id;
    coming_->filter = wanted_;
    coming_->since = now;
}

listening::news listening::tick(time_point now)
{
    news n;
    // Whoever waits for fresh topics has a deadline of his own.
    if (coming_ && now >= detail::saturating_add(coming_->since, settings_.patience)
        && fresh().empty()) {
        to_cancel_.push_back(coming_->id);
        coming_.reset();
        tried_in_vain(now, n);
    }
    return n;
}

time_point listening::due() const
{
    time_point when = former_.empty() ? time_point::max() : former_.front().since;
    if (coming_ && fresh().empty())
        when = std::min(when, detail::saturating_add(coming_->since, settings_.patience));
    else if (!coming_ && !wanted_.empty() && !satisfied())
        when = std::min(when, retry_at_);
    return when;
}

bool listening::knows(std::int64_t id) const noexcept
{
    return (coming_ && coming_->id == id) || (present_ && present_->id == id)
        || std::any_of(
            former_.begin(), former_.end(), [id](const request& r) { return r.id == id; });
}

void listening::refuse(const topics& which, news& into)
{
    const topics established = both(which, interrupted_);
    into.missed.insert(established.begin(), established.end());
    into.refused.insert(which.begin(), which.end());
    for (const topic& t : which)
        unwant(t);
}

void listening::tried_in_vain(time_point now, news& into)
{
    // What is listened to is enough for what is wanted: it stays.
    content_with_more_ = true;
    if (satisfied())
        return;
    if (++failures_ > max_tries) {
        failures_ = 0;
        const topics all = wanted_;
        refuse(all, into);
        return;
    }
    const duration pause = std::min(first_pause * (1 << (failures_ - 1)), longest_pause);
    retry_at_ = detail::saturating_add(now, pause);
}

listening::news listening::acknowledged(std::int64_t id, const topics& honoured, time_point now)
{
    news n;
    // A second acknowledgement changes nothing.
    if (!coming_ || coming_->id != id)
        return n;
    request acknowledged = std::move(*coming_);
    coming_.reset();
    const topics granted = both(acknowledged.filter, honoured);
    const topics had = present_ ? both(present_->filter, wanted_) : topics();
    if (granted.empty() || !within(had, granted)) {
        // Less than there was before: no exchange.
        to_cancel_.push_back(id);
        refuse(both(without(acknowledged.filter, had), wanted_), n);
        if (!wanted_.empty() && !satisfied())
            tried_in_vain(now, n);
        return n;
    }
    refuse(without(acknowledged.filter, granted), n);
    if (present_)
        retire(std::move(*present_), now);
    acknowledged.filter = granted;
    acknowledged.since = now;
    present_ = std::move(acknowledged);
    content_with_more_ = false;
    n.granted = granted;
    const topics again = both(interrupted_, granted);
    n.missed.insert(again.begin(), again.end());
    // What is wanted beyond it is still to be asked for.
    interrupted_ = without(interrupted_, granted);
    return n;
}

listening::news listening::ended(std::int64_t id, time_point now)
{
    news n;
    if (present_ && present_->id == id) {
        const topics lost = both(present_->filter, wanted_);
        interrupted_.insert(lost.begin(), lost.end());
        if (now - present_->since >= steady)
            failures_ = 0;
        present_.reset();
        // Where a new one is under way, it decides.
        if (!coming_)
            tried_in_vain(now, n);
    } else if (coming_ && coming_->id == id) {
        coming_.reset();
        refuse(fresh(), n);
        if (!wanted_.empty() && !satisfied())
            tried_in_vain(now, n);
    } else {
        std::erase_if(former_, [id](const request& r) { return r.id == id; });
        if (former_.empty())
            told_.clear();
    }
    return n;
}

void listening::forget() noexcept
{
    wanted_.clear();
    interrupted_.clear();
    told_.clear();
    former_.clear();
    to_cancel_.clear();
    present_.reset();
    coming_.reset();
}

bool listening::wants(const topic& about) const
{
    if (about.of != topic::kind::resource)
        return wanted_.contains(about);
    return std::any_of(wanted_.begin(), wanted_.end(), [&](const topic& t) {
        return t.of == topic::kind::resource && about.uri.starts_with(t.uri);
    });
}

bool listening::tells(std::int64_t id, const topic& about)
{
    if (!wants(about))
        return false;
    if (present_ && present_->id == id) {
        // Bounded: beyond it something may be told twice.
        constexpr std::size_t max_told = 1024;
        if (!former_.empty() && told_.size() < max_told)
            told_.insert(about);
        return true;
    }
    const bool late = std::any_of(
        former_.begin(), former_.end(), [id](const request& r) { return r.id == id; });
    return late && !told_.contains(about);
}

} // namespace mcp_pool::protocol
