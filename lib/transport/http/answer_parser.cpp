// The only source that includes Boost.Beast.
#include "transport/http/answer_parser.hpp"

#include "rpc/text.hpp"

#include <boost/beast/core/string.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>

#include <algorithm>
#include <optional>

namespace mcp_pool::transport::http {

namespace {

namespace beast = boost::beast;

// Interim answers before the final one: a server sends one or two.
constexpr unsigned max_interim = 16;

std::string_view view_of(beast::string_view text) noexcept
{
    return {text.data(), text.size()};
}

// What all parts of one answer may take together, and what they have taken.
struct budget
{
    exchange_limits limits;
    std::size_t header_bytes = 0;
    std::size_t fields = 0;
    std::uint64_t body_bytes = 0;

    // False: over the limit.
    bool take_header(std::size_t bytes) noexcept
    {
        header_bytes += bytes;
        return limits.max_header_bytes == 0 || header_bytes <= limits.max_header_bytes;
    }
    bool take_field() noexcept { return ++fields <= limits.max_fields || limits.max_fields == 0; }
    [[nodiscard]] std::string header_words() const
    {
        return "its fields exceed " + std::to_string(limits.max_header_bytes) + " bytes or "
            + std::to_string(limits.max_fields) + " in number";
    }
    // How much of a body there may still be.
    [[nodiscard]] bool has_room(std::uint64_t bytes) const noexcept
    {
        return limits.max_body_bytes == 0
            || (body_bytes <= limits.max_body_bytes && bytes <= limits.max_body_bytes - body_bytes);
    }
};

// One message: Beast finds the parts, this keeps them.
class message final : public beast::http::basic_parser<false>
{
public:
    explicit message(budget& allowed, bool bodiless)
        : allowed_(allowed)
    {
        // One part for each put(), so that what is told about one part can stop the next.
        eager(false);
        skip(bodiless);
        // The limits here count all parts together; Beast's own begins anew with each message and
        // with what is left of a header when the rest of it comes.
        body_limit(boost::none);
        header_limit(allowed.limits.max_header_bytes == 0
                ? std::uint32_t(-1)
                : static_cast<std::uint32_t>(
                    std::min<std::size_t>(allowed.limits.max_header_bytes, std::uint32_t(-1))));
    }

    answer_head head;
    std::string_view piece;
    http_errc problem{};
    std::string words;

private:
    using code = beast::error_code;

    // Any error of its own ends the parsing; ours say more.
    void refuse(http_errc why, std::string what, code& error)
    {
        problem = why;
        words = std::move(what);
        error = beast::http::error::bad_value;
    }

    void refuse_header(code& error)
    {
        refuse(http_errc::header_too_large, allowed_.header_words(), error);
    }

    void refuse_body(std::uint64_t more, code& error)
    {
        refuse(http_errc::body_too_large,
            "its body has at least " + std::to_string(allowed_.body_bytes) + " + "
                + std::to_string(more) + " bytes; at most "
                + std::to_string(allowed_.limits.max_body_bytes) + " are allowed",
            error);
    }

    void on_request_impl(
        beast::http::verb, beast::string_view, beast::string_view, int, code&) override
    {}

    void on_response_impl(int status, beast::string_view reason, int, code& error) override
    {
        error = {};
        if (!allowed_.take_header(reason.size() + 15))
            return refuse_header(error);
        if (status < 100)
            return refuse(http_errc::malformed, "its status is " + std::to_string(status), error);
        head.status = static_cast<unsigned>(status);
        head.reason = std::string(view_of(reason));
    }

    void on_field_impl(beast::http::field id, beast::string_view name, beast::string_view value,
        code& error) override
    {
        error = {};
        if (!allowed_.take_field() || !allowed_.take_header(name.size() + value.size() + 4))
            return refuse_header(error);
        // A coding that Beast does not know would make it read until the end of the connection.
        if (id == beast::http::field::transfer_encoding && !beast::iequals(value, "chunked"))
            return refuse(http_errc::malformed,
                "its transfer coding is \"" + rpc::escape_foreign(view_of(value), 80)
                    + "\"; only chunked is allowed",
                error);
        // Trailers are counted and left out.
        if (!is_header_done())
            head.fields.emplace_back(std::string(view_of(name)), std::string(view_of(value)));
    }

    void on_header_impl(code& error) override
    {
        error = {};
        if (head.status == 101)
            return refuse(http_errc::malformed, "it switches to another protocol, unasked", error);
        head.content_length = announced();
        // A HEAD's answer announces what it does not bring.
        if (head.content_length && !is_done() && !allowed_.has_room(*head.content_length))
            return refuse_body(*head.content_length, error);
    }

    std::optional<std::uint64_t> announced() const
    {
        const auto length = content_length();
        return length ? std::optional<std::uint64_t>(*length) : std::nullopt;
    }

    void on_body_init_impl(const boost::optional<std::uint64_t>&, code& error) override
    {
        error = {};
    }

    std::size_t on_body_impl(beast::string_view body, code& error) override
    {
        error = {};
        if (!allowed_.has_room(body.size())) {
            refuse_body(body.size(), error);
            return 0;
        }
        allowed_.body_bytes += body.size();
        piece = view_of(body);
        return body.size();
    }

    void on_chunk_header_impl(
        std::uint64_t size, beast::string_view extension, code& error) override
    {
        error = {};
        // Each for itself: a stream may last for days.
        if (allowed_.limits.max_header_bytes != 0
            && extension.size() > allowed_.limits.max_header_bytes)
            return refuse_header(error);
        if (!allowed_.has_room(size))
            return refuse_body(size, error);
    }

    std::size_t on_chunk_body_impl(std::uint64_t, beast::string_view body, code& error) override
    {
        return on_body_impl(body, error);
    }

    void on_finish_impl(code& error) override { error = {}; }

    budget& allowed_;
};

} // namespace

struct answer_parser::impl
{
    budget allowed;
    bool bodiless = false;
    bool begun = false;
    bool head_told = false;
    unsigned interim = 0;
    std::optional<message> current;
    // What was fed and is not used up; in `kept` where it had to wait for more.
    std::string_view input;
    std::string kept;
    bool input_is_kept = false;
    error_code code;
    std::string words;

    part fail(http_errc why, std::string what)
    {
        code = why;
        words = std::move(what);
        return part::bad;
    }

    part fail(const beast::error_code& why)
    {
        if (current->problem != http_errc{})
            return fail(current->problem, std::move(current->words));
        if (why == beast::http::error::header_limit)
            return fail_header();
        return fail(why == beast::http::error::partial_message ? http_errc::truncated
                                                               : http_errc::malformed,
            why.message());
    }

    part fail_header() { return fail(http_errc::header_too_large, allowed.header_words()); }

    // What is left waits for what comes next.
    part keep()
    {
        if (!input_is_kept || input.size() != kept.size()) {
            // assign() may not read from what it replaces.
            std::string left(input);
            kept.swap(left);
        }
        input_is_kept = true;
        input = kept;
        // Beast puts no bound to a chunk's extensions and to the trailers as a whole.
        if (allowed.limits.max_header_bytes != 0 && kept.size() > allowed.limits.max_header_bytes)
            return fail_header();
        return part::need_more;
    }

    part next()
    {
        for (;;) {
            if (code)
                return part::bad;
            if (head_told && current->is_done())
                return part::end;
            if (input.empty()) {
                input_is_kept = false;
                kept.clear();
                return part::need_more;
            }
            if (!current)
                current.emplace(allowed, bodiless);
            current->piece = {};
            beast::error_code error;
            input.remove_prefix(
                current->put(boost::asio::const_buffer(input.data(), input.size()), error));
            if (error == beast::http::error::need_more)
                return keep();
            if (error)
                return fail(error);
            if (!head_told && current->is_header_done()) {
                if (current->head.status >= 200) {
                    head_told = true;
                    return part::head;
                }
                if (++interim > max_interim)
                    return fail(http_errc::header_too_large,
                        "more than " + std::to_string(max_interim) + " interim answers came");
                current.reset();
                continue;
            }
            if (!current->piece.empty())
                return part::body;
        }
    }
};

answer_parser::answer_parser()
    : impl_(std::make_unique<impl>())
{}

answer_parser::~answer_parser() = default;

void answer_parser::begin(const exchange_limits& limits, bool bodiless)
{
    impl& p = *impl_;
    p.allowed = budget();
    p.allowed.limits = limits;
    p.bodiless = bodiless;
    p.begun = false;
    p.head_told = false;
    p.interim = 0;
    p.current.reset();
    p.input = {};
    p.kept.clear();
    p.input_is_kept = false;
    p.code = {};
    p.words.clear();
}

void answer_parser::feed(std::string_view bytes)
{
    impl& p = *impl_;
    p.begun = p.begun || !bytes.empty();
    if (p.input_is_kept) {
        p.kept += bytes;
        p.input = p.kept;
    } else {
        p.input = bytes;
    }
}

answer_parser::part answer_parser::next()
{
    return impl_->next();
}

answer_parser::part answer_parser::finish()
{
    impl& p = *impl_;
    if (p.code)
        return part::bad;
    if (!p.current || !p.current->got_some())
        return p.fail(p.begun ? http_errc::truncated : http_errc::no_answer, {});
    beast::error_code error;
    p.current->put_eof(error);
    return error ? p.fail(error) : part::end;
}

answer_head answer_parser::take_head()
{
    return std::move(impl_->current->head);
}

std::string_view answer_parser::piece() const noexcept
{
    return impl_->current->piece;
}

std::string_view answer_parser::rest() const noexcept
{
    return impl_->input;
}

void answer_parser::limit_body(std::uint64_t bytes) noexcept
{
    impl_->allowed.limits.max_body_bytes = bytes;
}

bool answer_parser::begun() const noexcept
{
    return impl_->begun;
}

bool answer_parser::awaits_first_byte() const noexcept
{
    return !impl_->head_told && !impl_->current;
}

bool answer_parser::keeps_alive() const noexcept
{
    return impl_->current->keep_alive();
}

error_code answer_parser::code() const noexcept
{
    return impl_->code;
}

const std::string& answer_parser::words() const noexcept
{
    return impl_->words;
}

} // namespace mcp_pool::transport::http
