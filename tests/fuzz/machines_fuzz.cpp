// The state machines of the protocol, driven by whatever comes. The first byte chooses the machine; each
// line that follows is a command: a letter, and what belongs to it.
#include "demand.hpp"
#include "protocol/handshake.hpp"
#include "protocol/listing.hpp"
#include "protocol/multi_round.hpp"
#include "protocol/request_table.hpp"
#include "protocol/stream_resumption.hpp"
#include "protocol/tool_headers.hpp"
#include "rpc/event_stream.hpp"
#include "rpc/message.hpp"

#include <boost/json/parse.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

using namespace mcp_pool;
using namespace mcp_pool::protocol;

namespace {

// The commands, one by one, and the time, which only moves on.
class commands
{
public:
    explicit commands(std::string_view text)
        : rest_(text)
    {}

    bool next()
    {
        if (rest_.empty())
            return false;
        const std::size_t end = std::min(rest_.find('\n'), rest_.size());
        line_ = rest_.substr(0, end);
        rest_.remove_prefix(std::min(end + 1, rest_.size()));
        now += std::chrono::milliseconds(1);
        return true;
    }

    [[nodiscard]] char letter() const { return line_.empty() ? '\0' : line_.front(); }
    [[nodiscard]] std::string_view text() const { return line_.substr(line_.empty() ? 0 : 1); }
    [[nodiscard]] std::uint8_t number(std::size_t i = 0) const
    {
        return i < text().size() ? static_cast<std::uint8_t>(text()[i]) : 0;
    }
    [[nodiscard]] json::value value() const
    {
        json::parse_options deep;
        deep.max_depth = rpc::reader::max_depth;
        error_code failure;
        json::value v = json::parse(
            json::string_view(text().data(), text().size()), failure, json::storage_ptr(), deep);
        return failure ? json::value(json::object()) : v;
    }

    time_point now{std::chrono::hours(1)};

private:
    std::string_view rest_;
    std::string_view line_;
};

void play_handshake(commands in)
{
    handshake_settings settings;
    settings.era_timeout = std::chrono::seconds(5);
    settings.start_timeout = std::chrono::seconds(60);
    if (!in.next())
        return;
    settings.choice = static_cast<era_choice>(in.number(0) % 3);
    if (in.number(1) % 3 != 0)
        settings.learnt = in.number(1) % 3 == 1 ? era::legacy : era::modern;
    settings.silence_means_legacy = in.number(2) % 2 == 0;
    const bool second = settings.choice == era_choice::auto_detect && in.number(3) % 2 == 1;
    handshake machine = second ? handshake::after_exit(settings) : handshake(settings);
    std::optional<handshake::outcome> end;
    unsigned sent = 0;
    rpc::reader reader;
    const auto check = [&](const handshake::step& step) {
        if (end)
            demand(step.next == handshake::outcome::pending && step.line.empty());
        if (!step.line.empty()) {
            ++sent;
            demand(step.line.find('\n') == step.line.size() - 1);
            demand(json::parse(step.line).at("method")
                == json::string_view(step.method.data(), step.method.size()));
        }
        if (step.next == handshake::outcome::pending)
            return;
        end = step.next;
        demand(machine.deadline() == time_point::max());
        if (step.next == handshake::outcome::failed) {
            demand(!machine.failure().text.empty());
        } else if (step.next == handshake::outcome::ready) {
            const server_facts facts = machine.take_facts();
            demand(!facts.version.empty());
            demand(facts.era == machine.assumed_era());
            demand(settings.choice == era_choice::auto_detect
                || (settings.choice == era_choice::modern) == (facts.era == era::modern));
        } else {
            demand(settings.choice == era_choice::auto_detect);
        }
    };
    while (in.next()) {
        switch (in.letter()) {
        case 's':
            check(machine.started(in.now));
            break;
        case 'o':
            machine.first_output(in.now);
            break;
        case 'e':
            check(machine.end_of_output());
            break;
        case 't':
            in.now += std::chrono::seconds(in.number());
            check(machine.tick(in.now));
            // What is due has been done.
            demand(machine.deadline() > in.now);
            break;
        case 'j': {
            era_verdict verdict;
            verdict.type = static_cast<era_verdict::kind>(in.number() % 4);
            verdict.version = "2026-07-28";
            check(machine.judged(verdict, "something"));
            break;
        }
        default:
            reader.read(
                in.text(), [&](rpc::message&& m) { check(machine.answer(std::move(m), in.now)); });
            break;
        }
        demand(!machine.stage().empty());
    }
    // Each round of questions ends: nobody is asked for ever.
    demand(sent <= 6);
}

void play_request_table(commands in)
{
    constexpr std::size_t grants = 3;
    request_table table(grants);
    std::map<std::int64_t, pending_request> pending;
    std::map<std::int64_t, std::size_t> buried;
    std::int64_t last = 0;
    while (in.next()) {
        const std::int64_t id = in.number();
        switch (in.letter()) {
        case 'i': {
            pending_request r;
            r.id = ++last;
            r.grant = in.number() % grants;
            r.deadline = in.now + std::chrono::milliseconds(in.number(1));
            r.idle = std::chrono::milliseconds(in.number(2));
            if (r.idle > duration::zero())
                r.idle_deadline = in.now + r.idle;
            table.insert(r);
            pending.emplace(r.id, r);
            break;
        }
        case 'b':
            if (table.find(id)) {
                buried.emplace(id, pending.at(id).grant);
                table.bury(id);
                pending.erase(id);
            }
            break;
        case 'p': {
            pending_request* const found = table.progressed(id, in.now);
            demand((found != nullptr) == pending.contains(id));
            if (found && found->idle > duration::zero())
                pending.at(id).idle_deadline = in.now + found->idle;
            break;
        }
        case 'S': {
            const std::size_t grant = in.number() % grants;
            const std::size_t counted = table.unsettled(grant);
            demand(table.settle(grant) == counted && table.unsettled(grant) == 0);
            break;
        }
        case 'a': {
            pending_request taken;
            bool counted = false;
            const answer_match match = table.take(id, taken, counted);
            demand((match == answer_match::pending) == pending.contains(id));
            if (match == answer_match::pending)
                demand(taken.id == id && pending.erase(id) == 1);
            else if (match == answer_match::late)
                demand(buried.at(id) == taken.grant && buried.erase(id) == 1);
            demand(match != answer_match::unknown || !counted);
            break;
        }
        default: {
            std::vector<pending_request> due;
            table.expired(in.now, due);
            for (const pending_request& r : due)
                demand(r.due() <= in.now && pending.contains(r.id));
            demand(due.empty() == (table.next_deadline() > in.now));
            break;
        }
        }
        time_point earliest = time_point::max();
        for (const auto& [of, r] : pending)
            earliest = std::min(earliest, r.due());
        demand(table.next_deadline() == earliest && table.size() == pending.size());
        for (std::size_t grant = 0; grant != grants; ++grant)
            demand(table.unsettled(grant) <= request_table::max_tombstones);
    }
    demand(table.take_all().size() == pending.size() && table.empty());
}

void play_multi_round(commands in)
{
    client_abilities abilities;
    if (!in.next())
        return;
    abilities.sampling = in.number() % 2 == 0;
    abilities.sampling_tools = in.number(1) % 2 == 0;
    abilities.elicit_form = in.number(2) % 2 == 0;
    abilities.elicit_url = in.number(3) % 2 == 0;
    abilities.roots = in.number(4) % 2 == 0;
    multi_round machine;
    unsigned rounds = 0;
    bool asking = false;
    while (in.next()) {
        if (in.letter() == 'r') {
            json::value result = in.value();
            if (!result.is_object())
                continue;
            const std::string fault = machine.take(std::move(result), abilities);
            asking = fault.empty();
            rounds += asking ? 1 : 0;
            demand(rounds <= multi_round::max_rounds);
            demand(machine.questions().size() <= multi_round::max_questions);
            demand(!asking || machine.complete() == machine.questions().empty());
            // A machine that has found a fault is not used any more.
            if (!asking)
                return;
        } else if (asking && in.letter() == 'a' && !machine.questions().empty()) {
            const std::size_t index = in.number() % machine.questions().size();
            const std::string fault = machine.answer(index, in.value());
            demand(machine.questions()[index].answered);
            const auto answered = [](const multi_round::question& q) { return q.answered; };
            demand(machine.complete()
                == std::all_of(machine.questions().begin(), machine.questions().end(), answered));
            if (!fault.empty())
                return;
        } else if (asking && machine.complete()) {
            const std::size_t questions = machine.questions().size();
            json::object params;
            params["requestState"] = "old";
            params["inputResponses"] = 7;
            params["name"] = "kept";
            machine.write_into(params);
            asking = false;
            demand(params.at("name") == "kept");
            demand(params.contains("inputResponses") == (questions != 0));
            if (questions != 0)
                demand(params.at("inputResponses").as_object().size() == questions);
            demand(!params.contains("requestState") || params.at("requestState").is_string());
        }
    }
}

void play_listing(commands in)
{
    listing_limits limits;
    limits.pages = 5;
    limits.bytes = 2000;
    listing list("tools/list", limits);
    std::size_t pages = 0, entries = 0;
    while (in.next()) {
        json::value page = in.value();
        const json::object* const object = page.if_object();
        const json::value* const tools = object ? object->if_contains("tools") : nullptr;
        entries += tools && tools->is_array() ? tools->get_array().size() : 0;
        const json::value* const cursor = object ? object->if_contains("nextCursor") : nullptr;
        const json::value next = cursor ? *cursor : json::value();
        ++pages;
        const bool more = list.take(std::move(page));
        demand(list.entries().size() == entries);
        demand(pages <= limits.pages);
        if (!more)
            return;
        demand(list.fault().empty() && next.is_string() && list.params().at("cursor") == next);
    }
}

void play_tool_headers(commands in)
{
    if (!in.next())
        return;
    const tool_headers headers(in.value());
    demand(headers.valid() == headers.fault().empty());
    demand(headers.valid() || headers.empty());
    demand(headers.fault().size() < 2000);
    while (in.next()) {
        header_fields fields;
        headers.add_to(fields, in.value());
        demand(fields.size() <= tool_headers::max_headers && (!headers.empty() || fields.empty()));
        std::set<std::string> names;
        for (const header_field& f : fields) {
            demand(f.name.starts_with("Mcp-Param-") && names.insert(f.name).second);
            const auto visible = [](char c) { return c >= 0x20 && c < 0x7f; };
            demand(std::all_of(f.name.begin(), f.name.end(), visible)
                && std::all_of(f.value.begin(), f.value.end(), visible));
        }
    }
}

void play_stream_resumption(commands in)
{
    using step = stream_resumption::step;
    if (!in.next())
        return;
    stream_resumption machine(in.number() % 2 == 0 ? era::legacy : era::modern,
        in.number(1) % 2 == 0 ? stream_resumption::purpose::answer
                              : stream_resumption::purpose::listening);
    rpc::event_stream stream(1000);
    bool over = false;
    unsigned failures = 0;
    const auto check = [&](step s) {
        demand(!over || s == step::none);
        // A server may want to be left alone for longer than time lasts.
        demand(s == step::wait || machine.deadline() == time_point::max());
        over = over || s == step::give_up;
    };
    while (in.next()) {
        const time_point before = machine.deadline();
        switch (in.letter()) {
        case 'd': {
            // Lines of a stream, '|' for their ends.
            std::string chunk(in.text());
            std::replace(chunk.begin(), chunk.end(), '|', '\n');
            stream.feed(chunk);
            while (stream.next()) {
            }
            break;
        }
        case 'e': {
            const step s = machine.ended(stream, in.now);
            if (s != step::none)
                check(s);
            if (s == step::wait) {
                failures = 0;
                stream = rpc::event_stream(1000);
            }
            break;
        }
        case 't': {
            in.now += std::chrono::milliseconds(in.number() * 100);
            const step s = machine.tick(in.now);
            check(s);
            demand(s != step::reconnect || before <= in.now);
            demand(s != step::wait || before > in.now);
            break;
        }
        case 'o':
            machine.opened();
            break;
        case 'f': {
            const step s = machine.failed(in.now);
            if (s != step::none)
                check(s);
            failures += s == step::wait ? 1 : 0;
            demand(failures < stream_resumption::max_tries);
            break;
        }
        case 'r':
            if (const step s = machine.refused(); s != step::none)
                check(s);
            break;
        default:
            machine.finished();
            over = true;
            break;
        }
        demand(!over || machine.deadline() == time_point::max());
        demand(machine.last_event_id().size() <= max_foreign_id
            && is_header_value(machine.last_event_id()));
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size)
{
    if (size < 2)
        return 0;
    const commands in({reinterpret_cast<const char*>(bytes) + 1, size - 1});
    switch (bytes[0]) {
    case 'h':
        play_handshake(in);
        break;
    case 'r':
        play_request_table(in);
        break;
    case 'm':
        play_multi_round(in);
        break;
    case 'l':
        play_listing(in);
        break;
    case 't':
        play_tool_headers(in);
        break;
    case 's':
        play_stream_resumption(in);
        break;
    default:
        break;
    }
    return 0;
}
