#include "target.hpp"

#include <array>
#include <cerrno>

namespace mcp_pool::scenario {

std::string name_of(const error_code& code)
{
    if (code.value() == ECANCELED && code.category() == boost::system::system_category())
        return "cancelled";
    struct named
    {
        errc code;
        const char* name;
    };
    constexpr std::array names{named{errc::acquire_timeout, "acquire_timeout"},
        named{errc::too_many_waiters, "too_many_waiters"}, named{errc::pool_closed, "pool_closed"},
        named{errc::start_failed, "start_failed"}, named{errc::circuit_open, "circuit_open"},
        named{errc::resource_exhausted, "resource_exhausted"},
        named{errc::invalid_config, "invalid_config"}};
    for (const named& n : names) {
        if (code == n.code)
            return n.name;
    }
    return code.message();
}

std::string event_line(std::string_view what, std::uint64_t session, session_end reason,
    const error_code& code, bool good, std::size_t count)
{
    std::string line(what);
    if (session != 0)
        line += " " + std::to_string(session);
    if (what == "replaced" || what == "retired")
        line.append(" ").append(to_string(reason));
    else if (what == "probed")
        line += good ? " answered" : " lost";
    else if (what == "refused")
        line += " " + name_of(code);
    else if (what == "scaled")
        line += " " + std::to_string(count);
    return line;
}

} // namespace mcp_pool::scenario
