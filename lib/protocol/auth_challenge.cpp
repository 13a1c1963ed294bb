#include "protocol/auth_challenge.hpp"

#include "rpc/ascii.hpp"

#include <algorithm>

namespace mcp_pool::protocol {

namespace {

// What a token in place of parameters may have besides; it ends with any number of '='.
bool is_token68_char(char c) noexcept
{
    return rpc::is_token_char(c) || c == '/';
}

// Reads from the front of the text.
class scanner
{
public:
    explicit scanner(std::string_view text) noexcept
        : rest_(text)
    {}

    [[nodiscard]] bool done() const noexcept { return rest_.empty(); }

    void skip_spaces() noexcept
    {
        while (!rest_.empty() && (rest_.front() == ' ' || rest_.front() == '\t'))
            rest_.remove_prefix(1);
    }

    void skip_commas() noexcept
    {
        for (skip_spaces(); take(','); skip_spaces()) {
        }
    }

    bool take(char c) noexcept
    {
        if (rest_.empty() || rest_.front() != c)
            return false;
        rest_.remove_prefix(1);
        return true;
    }

    template <class Predicate>
    std::string_view take_while(Predicate wanted) noexcept
    {
        const auto end = std::find_if_not(rest_.begin(), rest_.end(), wanted);
        const std::string_view taken = rest_.substr(
            0, static_cast<std::size_t>(end - rest_.begin()));
        rest_.remove_prefix(taken.size());
        return taken;
    }

    std::string_view token() noexcept { return take_while(rpc::is_token_char); }

    // The rest of a quoted string whose first quote is taken; false if it does not end.
    bool quoted(std::string& into)
    {
        while (!rest_.empty()) {
            char c = rest_.front();
            rest_.remove_prefix(1);
            if (c == '"')
                return true;
            if (c == '\\') {
                if (rest_.empty())
                    return false;
                c = rest_.front();
                rest_.remove_prefix(1);
            }
            into += c;
        }
        return false;
    }

    // What is left, to come back to.
    [[nodiscard]] std::string_view rest() const noexcept { return rest_; }
    void back_to(std::string_view rest) noexcept { rest_ = rest; }

private:
    std::string_view rest_;
};

enum class reading { parameter, something_else, nonsense };

// One `name=value`, or nothing if something else follows: another challenge.
reading read_parameter(scanner& text, std::pair<std::string, std::string>& into)
{
    const std::string_view begin = text.rest();
    const std::string_view name = text.token();
    text.skip_spaces();
    if (name.empty() || !text.take('=')) {
        text.back_to(begin);
        return reading::something_else;
    }
    text.skip_spaces();
    into.first = rpc::in_lower_case(name);
    if (text.take('"'))
        return text.quoted(into.second) ? reading::parameter : reading::nonsense;
    // URLs are no tokens, and yet some servers do not quote them.
    into.second = text.take_while(
        [](char c) { return c > ' ' && c != ',' && c != '"' && c != '\x7f'; });
    if (into.second.empty() || into.second.front() == '=') {
        text.back_to(begin);
        return reading::something_else;
    }
    return reading::parameter;
}

// The token68 form: all there is of the challenge up to a comma.
bool read_token68(scanner& text, auth_challenge& into)
{
    const std::string_view begin = text.rest();
    std::string token(text.take_while(is_token68_char));
    token += text.take_while([](char c) { return c == '='; });
    text.skip_spaces();
    if (token.empty() || !(text.done() || text.rest().front() == ',')) {
        text.back_to(begin);
        return false;
    }
    into.parameters.emplace_back(std::string(), std::move(token));
    return true;
}

// The parameters of a challenge; false if nothing behind them can be understood.
bool read_parameters(scanner& text, auth_challenge& into)
{
    for (;;) {
        std::pair<std::string, std::string> parameter;
        switch (read_parameter(text, parameter)) {
        case reading::nonsense:
            return false;
        case reading::something_else:
            return into.parameters.empty() ? read_token68(text, into) || text.done() : true;
        case reading::parameter:
            break;
        }
        if (into.parameters.size() < max_challenge_parameters)
            into.parameters.push_back(std::move(parameter));
        text.skip_spaces();
        if (!text.done() && text.rest().front() != ',')
            return false;
        text.skip_commas();
        if (text.done())
            return true;
    }
}

} // namespace

std::string_view auth_challenge::find(std::string_view name) const noexcept
{
    const auto found = std::find_if(parameters.begin(), parameters.end(),
        [name](const auto& parameter) { return parameter.first == name; });
    return found == parameters.end() ? std::string_view() : std::string_view(found->second);
}

std::vector<auth_challenge> parse_challenges(std::string_view text)
{
    std::vector<auth_challenge> challenges;
    scanner in(text.substr(0, max_challenge_bytes));
    for (in.skip_commas(); !in.done() && challenges.size() < max_challenges; in.skip_commas()) {
        auth_challenge challenge;
        challenge.scheme = rpc::in_lower_case(in.token());
        if (challenge.scheme.empty())
            break;
        const std::string_view behind = in.rest();
        in.skip_spaces();
        bool understood = true;
        // Without a space there are no parameters: the next thing is another challenge.
        if (in.rest().size() < behind.size() && !in.done() && in.rest().front() != ',')
            understood = read_parameters(in, challenge);
        else if (!in.done() && in.rest().front() != ',')
            understood = false;
        challenges.push_back(std::move(challenge));
        if (!understood)
            break;
    }
    return challenges;
}

auth_challenge bearer_challenge(std::string_view text)
{
    std::vector<auth_challenge> all = parse_challenges(text);
    const auto bearer = std::find_if(
        all.begin(), all.end(), [](const auth_challenge& c) { return c.scheme == "bearer"; });
    if (bearer != all.end())
        return std::move(*bearer);
    return all.empty() ? auth_challenge() : std::move(all.front());
}

} // namespace mcp_pool::protocol
