// A stream of lines in any pieces, read as messages: the framing beside a naive cut, each message
// beside itself after a round trip, and the text that is cut out of a line beside what the parser has
// read there. The first two bytes say how the stream is cut and how long a line may be.
#include "demand.hpp"
#include "rpc/line_assembler.hpp"
#include "rpc/message.hpp"
#include "rpc/message_text.hpp"
#include "rpc/text.hpp"
#include "rpc/writer.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

using namespace mcp_pool;
using kind = rpc::message::kind;

namespace {

std::vector<std::string> cut_at_once(std::string_view stream)
{
    std::vector<std::string> lines;
    for (std::size_t end; !stream.empty(); stream.remove_prefix(std::min(end + 1, stream.size()))) {
        end = std::min(stream.find('\n'), stream.size());
        std::string_view line = stream.substr(0, end);
        if (line.ends_with('\r'))
            line.remove_suffix(1);
        if (!line.empty())
            lines.emplace_back(line);
    }
    return lines;
}

// The parser rounds long or large numbers in its last bit or two, so that what it reads of its own text
// may be a neighbour.
bool close(double a, double b)
{
    return a == b || std::abs(a - b) <= 1e-14 * std::max(std::abs(a), std::abs(b));
}

// As text where there is no other way: numbers that are not finite, and what else does not equal itself.
bool same(const json::value& a, const json::value& b)
{
    if (a.is_object() && b.is_object())
        return a.get_object().size() == b.get_object().size()
            && std::all_of(a.get_object().begin(), a.get_object().end(), [&](const auto& member) {
                   const json::value* const other = b.get_object().if_contains(member.key());
                   return other && same(member.value(), *other);
               });
    if (a.is_array() && b.is_array())
        return std::equal(a.get_array().begin(), a.get_array().end(), b.get_array().begin(),
            b.get_array().end(), same);
    if (a.is_number() && b.is_number() && close(a.to_number<double>(), b.to_number<double>()))
        return true;
    return json::serialize(a) == json::serialize(b);
}

json::value parsed(std::string_view text)
{
    json::parse_options as_the_reader;
    as_the_reader.max_depth = rpc::reader::max_depth;
    std::size_t replaced = 0;
    const std::string repaired = rpc::repair_utf8(text, replaced);
    demand(rpc::is_utf8(text) == (replaced == 0));
    return json::parse(repaired, json::storage_ptr(), as_the_reader);
}

void check_round_trip(const rpc::message& m)
{
    rpc::writer w;
    std::string line;
    if (m.type == kind::result) {
        line = w.result(m.id, m.content);
    } else if (m.type == kind::error) {
        line = w.error(m.id, m.error.code, m.error.message, m.error.data);
    } else {
        w.begin();
        if (const auto id = m.integer_id())
            w.begin_request(*id, {m.method.data(), m.method.size()});
        else
            w.begin_notification({m.method.data(), m.method.size()});
        w.raw(",\"params\":");
        w.object(m.params);
        w.raw("}");
        line = w.finish();
    }
    demand(line.find('\n') == line.size() - 1);
    rpc::reader again;
    std::size_t seen = 0;
    again.read(line, [&](rpc::message&& back) {
        ++seen;
        // A number beyond all bounds is written as one that is beyond what can be read.
        if (back.unreadable)
            return;
        demand(same(back.content, m.content) && same(back.params, m.params));
        demand(back.error.code == m.error.code && back.error.message == m.error.message);
    });
    demand(seen <= 1);
}

void check_line(std::string_view line)
{
    rpc::reader reader;
    std::vector<rpc::message> messages;
    const std::size_t valid = reader.read(
        line, [&](rpc::message&& m) { messages.push_back(std::move(m)); });
    demand(valid == messages.size() && !reader.refused());
    std::vector<std::int64_t> cut;
    for (const rpc::message& m : messages) {
        demand(m.type != kind::invalid);
        if (m.unreadable) {
            demand(m.type == kind::error && !m.error.message.empty() && !m.id.is_null());
            continue;
        }
        check_round_trip(m);
        const auto id = m.integer_id();
        if (m.type != kind::result || !id || std::find(cut.begin(), cut.end(), *id) != cut.end())
            continue;
        cut.push_back(*id);
        // Of several answers to one request the first counts, but one that cannot be read has no text
        // that could be parsed.
        const auto ours = [&](const rpc::message& other) {
            return other.unreadable && other.integer_id() == id;
        };
        if (std::any_of(messages.begin(), messages.end(), ours))
            continue;
        const auto text = rpc::result_text(line, *id);
        demand(text && text->data() >= line.data()
            && text->data() + text->size() <= line.data() + line.size());
        demand(same(parsed(*text), m.content));
    }
    rpc::reader strict(rpc::bad_utf8::refuse);
    const std::size_t taken = strict.read(line, [](rpc::message&&) {});
    demand(strict.refused() ? reader.replaced_sequences() > 0
                            : taken == valid && reader.replaced_sequences() == 0);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size)
{
    if (size < 2)
        return 0;
    const std::size_t piece = std::size_t{bytes[0]} + 1;
    const bool narrow = bytes[1] % 2 == 1;
    const std::size_t limit = narrow ? bytes[1] : size;
    const std::string_view stream(reinterpret_cast<const char*>(bytes) + 2, size - 2);

    rpc::line_assembler assembler(limit);
    std::vector<std::string> lines;
    for (std::size_t at = 0; at < stream.size() && !assembler.oversized(); at += piece) {
        // A copy of its own, so that a look beyond it is noticed.
        const std::vector<char> chunk(stream.begin() + static_cast<std::ptrdiff_t>(at),
            stream.begin() + static_cast<std::ptrdiff_t>(std::min(at + piece, stream.size())));
        assembler.feed({chunk.data(), chunk.size()});
        while (const auto line = assembler.next()) {
            demand(!line->empty() && line->size() <= limit && line->find('\n') == line->npos);
            lines.emplace_back(*line);
        }
        demand(assembler.kept() <= limit + 1);
    }
    if (!assembler.oversized())
        if (const auto last = assembler.finish())
            lines.emplace_back(*last);
    std::vector<std::string> expected = cut_at_once(stream);
    if (assembler.oversized()) {
        demand(narrow && assembler.oversized_bytes() > limit && assembler.kept() == 0);
        demand(lines.size() < expected.size());
        expected.resize(lines.size());
    }
    demand(lines == expected);

    for (const std::string& line : lines)
        check_line(line);
    return 0;
}
