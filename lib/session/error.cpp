#include <mcp_pool/error.hpp>

#include <csignal>
#include <cstring>
#include <utility>

namespace mcp_pool {

namespace {

class pool_error_category final : public boost::system::error_category
{
public:
    [[nodiscard]] const char* name() const noexcept override { return "mcp_pool"; }

    [[nodiscard]] std::string message(int value) const override
    {
        switch (static_cast<errc>(value)) {
        case errc::acquire_timeout:
            return "no session became free in time";
        case errc::too_many_waiters:
            return "too many acquires are waiting already";
        case errc::pool_closed:
            return "the pool is closed";
        case errc::start_failed:
            return "the session could not be started";
        case errc::circuit_open:
            return "starts have failed repeatedly, none is tried at present";
        case errc::resource_exhausted:
            return "this host has run out of a resource";
        case errc::session_closed:
            return "the session ended while the request was under way";
        case errc::not_sent:
            return "the session ended before the request was sent";
        case errc::call_timeout:
            return "the request got no answer in time";
        case errc::lease_released:
            return "the lease has ended";
        case errc::protocol_error:
            return "the server broke the protocol";
        case errc::message_too_large:
            return "a message exceeds max_message_bytes";
        case errc::unsupported_version:
            return "no protocol version in common with the server";
        case errc::method_not_supported:
            return "the server does not offer the method";
        case errc::invalid_config:
            return "a configuration value is impossible";
        case errc::unknown_server:
            return "no server of that name is configured";
        case errc::would_deadlock:
            return "the call would wait for itself";
        case errc::unauthorized:
            return "the server refused the credentials";
        case errc::http_error:
            return "the server answered with an unexpected HTTP status";
        }
        return "error " + std::to_string(value);
    }
};

class rpc_error_category final : public boost::system::error_category
{
public:
    [[nodiscard]] const char* name() const noexcept override { return "mcp_pool.rpc"; }

    [[nodiscard]] std::string message(int value) const override
    {
        return "the server answered with error " + std::to_string(value);
    }

    // A peer may send any code, 0 included: it is an error all the same.
    [[nodiscard]] bool failed(int) const noexcept override { return true; }
};

const char* signal_name(int number) noexcept
{
    return ::sigabbrev_np(number);
}

} // namespace

const boost::system::error_category& pool_category() noexcept
{
    static const pool_error_category instance;
    return instance;
}

const boost::system::error_category& rpc_category() noexcept
{
    static const rpc_error_category instance;
    return instance;
}

error_code make_error_code(errc value) noexcept
{
    return {static_cast<int>(value), pool_category()};
}

bool is_safe_to_retry(const error_code& code) noexcept
{
    if (code.category() != pool_category())
        return false;
    switch (static_cast<errc>(code.value())) {
    case errc::acquire_timeout:
    case errc::too_many_waiters:
    case errc::pool_closed:
    case errc::start_failed:
    case errc::circuit_open:
    case errc::resource_exhausted:
    case errc::not_sent:
    case errc::lease_released:
    case errc::unsupported_version:
    case errc::method_not_supported:
    case errc::invalid_config:
    case errc::unknown_server:
    case errc::would_deadlock:
    case errc::unauthorized:
        return true;
    // The answer may have been too large, not the request; the rest is about requests that were
    // sent.
    case errc::message_too_large:
    case errc::session_closed:
    case errc::call_timeout:
    case errc::protocol_error:
    case errc::http_error:
        break;
    }
    return false;
}

std::string exit_status::text() const
{
    std::string text;
    switch (how) {
    case kind::exited:
        text = "exit status " + std::to_string(value);
        break;
    case kind::signalled:
        text = "signal " + std::to_string(value);
        if (const char* name = signal_name(value))
            text += std::string(" (SIG") + name + ")";
        break;
    case kind::taken_by_host:
        text = "a status that the host application took (it waits for every child or ignores "
               "SIGCHLD)";
        break;
    }
    if (!note.empty())
        text += ", " + note;
    return text;
}

error::error(const error_code& code, mcp_pool::diagnostics details)
    : error(code, std::make_shared<const mcp_pool::diagnostics>(std::move(details)))
{}

error::error(const error_code& code, std::shared_ptr<const mcp_pool::diagnostics> details)
    : system_error(code)
    , details_(std::move(details))
{}

const char* error::what() const noexcept
{
    return details_->message.empty() ? system_error::what() : details_->message.c_str();
}

} // namespace mcp_pool
