#include "scenario.hpp"

#include "options_by_name.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <array>
#include <fstream>
#include <set>
#include <sstream>

namespace mcp_pool::scenario {

namespace json = boost::json;

namespace {

enum class kind { text, number, flag, seconds, object, list };

struct member
{
    std::string_view name;
    kind is;
    bool required;
};

struct verb
{
    std::string_view name;
    std::vector<member> members;
};

constexpr bool required = true, optional = false;

// Everything that can be done, with its members.
const std::vector<verb>& verbs()
{
    static const std::vector<verb> all{
        {"start", {}},
        {"acquire",
            {{"as", kind::text, required}, {"key", kind::text, optional},
                {"timeout", kind::seconds, optional}}},
        {"try_acquire", {{"as", kind::text, required}, {"key", kind::text, optional}}},
        {"release", {{"lease", kind::text, required}, {"how", kind::text, optional}}},
        {"cancel", {{"acquire", kind::text, required}}},
        {"detach", {{"lease", kind::text, required}}},
        {"ping", {{"lease", kind::text, required}}},
        {"leave_a_call", {{"lease", kind::text, required}}},
        {"mute", {{"on", kind::flag, required}}},
        {"hold_starts", {{"on", kind::flag, required}}},
        {"let_starts", {}},
        {"fail_starts",
            {{"count", kind::number, required}, {"permanent", kind::flag, optional},
                {"exhausted", kind::flag, optional}}},
        {"hang_starts", {{"count", kind::number, required}}},
        {"die", {{"session", kind::number, required}}},
        {"resize",
            {{"min_size", kind::number, optional}, {"max_size", kind::number, optional},
                {"max_starting", kind::number, optional}, {"max_waiters", kind::number, optional}}},
        {"evict_all", {}},
        {"close", {{"deadline", kind::seconds, required}}},
        {"advance", {{"by", kind::seconds, required}}},
        {"await", {{"event", kind::text, required}, {"count", kind::number, optional}}},
        {"expect",
            {{"acquire", kind::text, optional}, {"is", kind::text, optional},
                {"session", kind::number, optional}, {"stats", kind::object, optional}}},
        {"together", {{"operations", kind::list, required}}},
    };
    return all;
}

constexpr std::array event_names{"starting", "started", "start_failed", "probed", "replaced",
    "retired", "ended", "overdue", "stalled", "suspected", "circuit_opened", "circuit_closed",
    "scaled", "leased", "returned", "waited", "timed_out", "refused"};

std::string in_quotes(std::string_view text)
{
    return json::serialize(json::value(json::string_view(text.data(), text.size())));
}

bool fits(const json::value& v, kind is)
{
    switch (is) {
    case kind::text:
        return v.is_string() && !v.get_string().empty();
    case kind::number:
        return (v.is_int64() && v.get_int64() >= 0) || v.is_uint64();
    case kind::flag:
        return v.is_bool();
    case kind::seconds:
        return v.is_number() && v.to_number<double>() >= 0;
    case kind::object:
        return v.is_object();
    case kind::list:
        return v.is_array();
    }
    return false;
}

std::string_view name_of(kind is)
{
    switch (is) {
    case kind::text:
        return "a text";
    case kind::number:
        return "an integer from 0 on";
    case kind::flag:
        return "true or false";
    case kind::seconds:
        return "seconds, from 0 on";
    case kind::object:
        return "an object";
    case kind::list:
        return "a list";
    }
    return {};
}

// Where something is in a file, for the message if it is wrong.
class place
{
public:
    explicit place(std::string text)
        : text_(std::move(text))
    {}
    [[noreturn]] void wrong(const std::string& what) const { throw malformed(text_ + ": " + what); }
    [[nodiscard]] place in(const std::string& part) const { return place(text_ + ": " + part); }
    [[nodiscard]] const std::string& text() const noexcept { return text_; }

private:
    std::string text_;
};

void check_members(
    const json::object& o, const std::vector<member>& known, const place& here, bool has_verb)
{
    for (const auto& [name, value] : o) {
        const std::string_view key(name.data(), name.size());
        if (has_verb && key == "do")
            continue;
        const auto found = std::find_if(
            known.begin(), known.end(), [key](const member& m) { return m.name == key; });
        if (found == known.end())
            here.wrong("unknown member " + in_quotes(key));
        if (!fits(value, found->is))
            here.wrong(std::string(key) + "=" + json::serialize(value) + ": expected "
                + std::string(name_of(found->is)));
    }
    for (const member& m : known) {
        if (m.required && !o.contains(m.name))
            here.wrong("the member " + in_quotes(m.name) + " is missing");
    }
}

std::vector<operation> read_operations(
    const json::array& list, const place& file, const std::string& path, bool& needs_virtual_time);

operation read_operation(
    const json::value& v, const place& file, const std::string& path, bool& needs_virtual_time)
{
    const place unnamed = file.in(path);
    const json::object* const o = v.if_object();
    if (!o)
        unnamed.wrong("expected an object");
    const json::value* const what = o->if_contains("do");
    if (!what || !what->is_string())
        unnamed.wrong("the member \"do\" is missing, or no text");
    const std::string_view name(what->get_string().data(), what->get_string().size());
    const auto found = std::find_if(
        verbs().begin(), verbs().end(), [name](const verb& known) { return known.name == name; });
    if (found == verbs().end())
        unnamed.wrong("unknown operation " + in_quotes(name));
    const place here = file.in(path + " (" + std::string(name) + ")");
    check_members(*o, found->members, here, true);
    needs_virtual_time = needs_virtual_time || name == "advance";
    operation result(path, *o);
    if (name == "together") {
        result.parts = read_operations(
            o->at("operations").get_array(), file, path + ".operations", needs_virtual_time);
        for (const operation& part : result.parts) {
            if (part.verb() == "await" || part.verb() == "advance" || part.verb() == "together")
                file.in(part.where()).wrong(part.verb() + " cannot stand inside of together");
        }
    }
    if (name == "expect" && o->contains("acquire") != o->contains("is"))
        here.wrong("\"acquire\" and \"is\" stand together");
    if (name == "expect" && !o->contains("acquire") && !o->contains("stats"))
        here.wrong("expects nothing");
    return result;
}

std::vector<operation> read_operations(
    const json::array& list, const place& file, const std::string& path, bool& needs_virtual_time)
{
    std::vector<operation> result;
    for (std::size_t i = 0; i != list.size(); ++i)
        result.push_back(read_operation(
            list[i], file, path + "[" + std::to_string(i) + "]", needs_virtual_time));
    return result;
}

// Each acquire has a name of its own, and what is done to one is done to one that there is.
void check_names(
    const std::vector<operation>& operations, const place& file, std::set<std::string>& names)
{
    for (const operation& o : operations) {
        const place here = file.in(o.where() + " (" + o.verb() + ")");
        if (o.has("as") && !names.insert(o.text("as")).second)
            here.wrong("there is a " + in_quotes(o.text("as")) + " already");
        for (const char* const member : {"lease", "acquire"}) {
            if (o.has(member) && !names.contains(o.text(member)))
                here.wrong("nobody is called " + in_quotes(o.text(member)));
        }
        check_names(o.parts, file, names);
    }
}

void read_targets(scenario& s, const json::value& v, const place& here, bool needs_virtual_time)
{
    s.for_core = s.for_pool = false;
    for (const json::value& target : v.get_array()) {
        if (target == "core")
            s.for_core = true;
        else if (target == "pool")
            s.for_pool = true;
        else
            here.wrong("unknown target " + json::serialize(target));
    }
    if (s.for_core == s.for_pool && !s.for_core)
        here.wrong("expected \"core\", \"pool\" or both");
    if (needs_virtual_time && s.for_pool)
        here.wrong("\"advance\" needs virtual time: expected [\"core\"]");
}

} // namespace

std::string operation::text(std::string_view member) const
{
    const json::value* const v = members_.if_contains(member);
    return v ? std::string(v->get_string().data(), v->get_string().size()) : std::string();
}

std::size_t operation::number(std::string_view member) const
{
    const json::value* const v = members_.if_contains(member);
    return v ? v->to_number<std::size_t>() : 0;
}

bool operation::flag(std::string_view member) const
{
    const json::value* const v = members_.if_contains(member);
    return v && v->get_bool();
}

duration operation::seconds(std::string_view member) const
{
    const json::value* const v = members_.if_contains(member);
    return v ? detail::saturate(std::chrono::duration<double>(v->to_number<double>()))
             : duration::zero();
}

json::object operation::object(std::string_view member) const
{
    const json::value* const v = members_.if_contains(member);
    return v ? v->get_object() : json::object();
}

scenario parse(std::string_view text, const std::string& name)
{
    const place file(name);
    boost::system::error_code failure;
    const json::value whole = json::parse(json::string_view(text.data(), text.size()), failure);
    if (failure)
        file.wrong("no JSON: " + failure.message());
    const json::object* const o = whole.if_object();
    if (!o)
        file.wrong("expected an object");
    check_members(*o,
        {{"about", kind::text, required}, {"options", kind::object, optional},
            {"era", kind::text, optional}, {"targets", kind::list, optional},
            {"operations", kind::list, required}, {"events", kind::list, required}},
        file, false);

    scenario s;
    s.name = name;
    s.about = json::value_to<std::string>(o->at("about"));
    if (const json::value* const era = o->if_contains("era")) {
        if (*era != "legacy" && *era != "modern")
            file.wrong("era=" + json::serialize(*era) + ": expected legacy or modern");
        s.modern = *era == "modern";
    }
    if (const json::value* const options = o->if_contains("options")) {
        const std::string wrong = set_options(options->get_object(), s.options);
        if (!wrong.empty())
            file.in("options").wrong(wrong);
    }
    bool needs_virtual_time = false;
    s.operations = read_operations(
        o->at("operations").get_array(), file, "operations", needs_virtual_time);
    if (s.operations.empty())
        file.wrong("nothing is done");
    std::set<std::string> names;
    check_names(s.operations, file, names);
    const json::value both = json::array{"core", "pool"};
    const json::value* const targets = o->if_contains("targets");
    read_targets(s, targets ? *targets : both, file.in("targets"), needs_virtual_time);

    const json::array& events = o->at("events").get_array();
    for (std::size_t i = 0; i != events.size(); ++i) {
        const place here = file.in("events[" + std::to_string(i) + "]");
        if (!events[i].is_string())
            here.wrong("expected a text");
        s.events.push_back(json::value_to<std::string>(events[i]));
        const std::string first = s.events.back().substr(0, s.events.back().find(' '));
        if (std::find(event_names.begin(), event_names.end(), first) == event_names.end())
            here.wrong("unknown event " + in_quotes(first));
    }
    return s;
}

scenario load(const std::filesystem::path& file)
{
    std::ifstream in(file);
    std::ostringstream text;
    text << in.rdbuf();
    if (!in)
        throw malformed(file.filename().string() + ": cannot be read");
    return parse(text.str(), file.stem().string());
}

std::vector<std::filesystem::path> files_in(const std::filesystem::path& folder)
{
    std::set<std::filesystem::path> found;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        if (entry.path().extension() == ".json")
            found.insert(entry.path());
    }
    return {found.begin(), found.end()};
}

} // namespace mcp_pool::scenario
