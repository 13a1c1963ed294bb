#include "virtual_load.hpp"

#include <algorithm>
#include <cmath>

namespace mcp_pool::test {

using pooling::slot;
using pooling::slot_action;
using namespace std::chrono_literals;

duration chance::exponential(duration mean)
{
    const double seconds = -std::log1p(-uniform()) * std::chrono::duration<double>(mean).count();
    return std::chrono::duration_cast<duration>(std::chrono::duration<double>(seconds));
}

zipf::zipf(std::size_t ranks)
{
    double sum = 0;
    for (std::size_t k = 1; k <= ranks; ++k)
        up_to_.push_back(sum += 1 / static_cast<double>(k));
    for (double& share : up_to_)
        share /= sum;
}

std::size_t zipf::operator()(chance& random) const
{
    const auto found = std::upper_bound(up_to_.begin(), up_to_.end(), random.uniform());
    return static_cast<std::size_t>(found - up_to_.begin());
}

duration percentile(std::vector<duration> values, double share)
{
    if (values.empty())
        return {};
    std::sort(values.begin(), values.end());
    const auto at = static_cast<std::size_t>(share * static_cast<double>(values.size()));
    return values[std::min(at, values.size() - 1)];
}

virtual_load::virtual_load(load_settings settings)
    : settings_(std::move(settings))
    , core_(settings_.options, settings_.seed)
    , now_(1h)
{
    const std::size_t places = settings_.options.max_leases_per_session;
    slots_.resize(settings_.options.max_size);
    for (slot& s : slots_) {
        if (places != 1) {
            s.places = places_.emplace_back(places).data();
            s.place_count = static_cast<std::uint16_t>(places);
        }
        core_.add_slot(s);
    }
    core_.set_era_known(true, now_);
}

pooling::key_record* virtual_load::record_of(const std::string& key)
{
    if (pooling::key_record* const known = core_.find_key(key))
        return known;
    auto& mine = keys_[key];
    mine = std::make_unique<pooling::key_record>(key);
    core_.adopt_key(*mine);
    return mine.get();
}

void virtual_load::at(time_point when, std::function<void()> what)
{
    events_.push({when, ++order_, std::move(what)});
}

void virtual_load::arrive(time_point when, std::size_t user, std::string key, duration hold)
{
    visit* v = nullptr;
    if (spare_.empty()) {
        v = visits_.emplace_back(std::make_unique<visit>()).get();
    } else {
        v = spare_.back();
        spare_.pop_back();
    }
    v->user = user;
    v->key_name = std::move(key);
    v->hold = hold;
    v->arrived = when;
    v->overtaken = 0;
    v->ticket = 0;
    at(when, [this, v] {
        v->where = detail::waiter::stage::outside;
        v->key = record_of(v->key_name);
        core_.acquire(*v, now_);
    });
}

void virtual_load::served(visit& v)
{
    v.served = now_;
    v.same_key = v.place->number != 1;
    if (on_served)
        on_served(v);
    at(now_ + v.hold, [this, &v] {
        pooling::return_verdict clean;
        clean.served = true;
        core_.release(*v.place, clean, now_);
        if (on_gone)
            on_gone(v);
        spare_.push_back(&v);
    });
}

void virtual_load::perform(slot& s, slot_action action)
{
    const std::uint64_t epoch = s.epoch;
    if (action == slot_action::start)
        at(now_ + settings_.start_time(starts_++),
            [this, &s, epoch] { core_.ready(s, epoch, settings_.stateless, now_); });
    else if (action == slot_action::stop && s.step == pooling::stop_rung::close_input)
        at(now_ + settings_.stop_time,
            [this, &s, epoch] { core_.ended(s, epoch, false, 0, now_); });
    else if (action == slot_action::probe)
        at(now_ + 1ms, [this, &s, epoch] { core_.probe_done(s, epoch, now_); });
}

void virtual_load::pump()
{
    do {
        while (detail::waiter* const w = core_.next_ready()) {
            if (!w->failure && w->wants == detail::waiter::purpose::lease)
                served(static_cast<visit&>(*w));
        }
        for (std::size_t n = core_.take_permit_requests(); n != 0; --n)
            core_.permit_granted(now_);
        core_.take_permit_returns();
        slot_action action{};
        while (slot* const s = core_.next_todo(action))
            perform(*s, action);
        while (pooling::key_record* const unused = core_.next_unused_key())
            keys_.erase(unused->name);
    } while (core_.has_ready() || core_.has_work());
}

void virtual_load::run_until(time_point when)
{
    for (;;) {
        const time_point next = events_.empty() ? time_point::max() : events_.top().when;
        if (std::min(next, core_.next_wake()) > when)
            break;
        if (core_.next_wake() < next) {
            now_ = std::max(now_, core_.next_wake());
            core_.tick(now_);
        } else {
            now_ = next;
            const std::function<void()> what = events_.top().what;
            events_.pop();
            what();
        }
        pump();
    }
    now_ = when;
}

} // namespace mcp_pool::test
