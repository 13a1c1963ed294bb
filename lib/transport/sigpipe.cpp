#include "transport/stdio.hpp"

#include <csignal>
#include <mutex>

namespace mcp_pool::transport {

void ignore_sigpipe_once()
{
#if MCP_POOL_IGNORE_SIGPIPE
    static std::once_flag once;
    std::call_once(once, [] {
        struct sigaction present = {};
        if (::sigaction(SIGPIPE, nullptr, &present) != 0 || (present.sa_flags & SA_SIGINFO) != 0
            || present.sa_handler != SIG_DFL)
            return;
        struct sigaction ignore = {};
        ignore.sa_handler = SIG_IGN;
        ::sigaction(SIGPIPE, &ignore, nullptr);
    });
#endif
}

} // namespace mcp_pool::transport
