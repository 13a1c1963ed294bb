#include "transport/descriptor.hpp"

#include <array>
#include <cerrno>
#include <mutex>

#include <fcntl.h>

namespace mcp_pool::transport {

namespace {

struct plug_state
{
    std::mutex mutex;
    int users = 0;
    std::array<bool, 3> plugged{};
};

constinit plug_state plugs;

} // namespace

low_descriptors_plug::low_descriptors_plug() noexcept
{
    const std::lock_guard lock(plugs.mutex);
    if (plugs.users++ != 0)
        return;
    for (int fd = 0; fd < 3; ++fd) {
        if (::fcntl(fd, F_GETFD) != -1 || errno != EBADF)
            continue;
        const int got = ::open("/", O_PATH | O_CLOEXEC);
        if (got >= 3)
            ::close(got);
        else if (got >= 0)
            plugs.plugged[static_cast<std::size_t>(got)] = true;
    }
}

low_descriptors_plug::~low_descriptors_plug()
{
    const std::lock_guard lock(plugs.mutex);
    if (--plugs.users != 0)
        return;
    for (int fd = 0; fd < 3; ++fd) {
        if (!std::exchange(plugs.plugged[static_cast<std::size_t>(fd)], false))
            continue;
        // The host may have put a stream of its own there by dup2() meanwhile.
        const int flags = ::fcntl(fd, F_GETFL);
        if (flags != -1 && (flags & O_PATH) != 0)
            ::close(fd);
    }
}

int lifted(int fd) noexcept
{
    if (fd < 0 || fd >= 3)
        return fd;
    const int higher = ::fcntl(fd, F_DUPFD_CLOEXEC, 3);
    const int error = errno;
    ::close(fd);
    errno = error;
    return higher;
}

} // namespace mcp_pool::transport
