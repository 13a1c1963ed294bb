#include "transport/stderr_file.hpp"

#include <boost/system/system_error.hpp>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <new>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

namespace mcp_pool::transport {

stderr_file::stderr_file(const std::string& path, std::size_t limit)
    : path_(std::filesystem::absolute(path).native())
    , former_path_(path_ + ".1")
    , limit_(limit)
{
    if (const int error = open())
        throw boost::system::system_error(error, boost::system::system_category());
}

// 0 or an errno value.
int stderr_file::open() noexcept
{
    const low_descriptors_plug plug;
    // Does not wait for the reader of a FIFO, which is refused below.
    constexpr int flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
    file_.reset(lifted(::open(path_.c_str(), flags, 0640)));
    if (!file_)
        return errno;
    struct stat info = {};
    if (::fstat(file_.get(), &info) == 0 && S_ISREG(info.st_mode))
        return 0;
    file_.reset();
    return EINVAL;
}

// The name still stands for the file that is open.
bool stderr_file::is_current() const noexcept
{
    struct stat named = {};
    struct stat opened = {};
    return file_ && ::stat(path_.c_str(), &named) == 0 && ::fstat(file_.get(), &opened) == 0
        && named.st_ino == opened.st_ino && named.st_dev == opened.st_dev;
}

bool stderr_file::make_room(std::size_t bytes) noexcept
{
    if (!is_current() && open() != 0)
        return false;
    struct stat info = {};
    if (::fstat(file_.get(), &info) != 0)
        return false;
    if (info.st_size == 0 || static_cast<std::size_t>(info.st_size) + bytes <= limit_)
        return true;
    // Another process may be about to rename it as well: whoever comes second would rename the new one
    // over what was just put away.
    if (::flock(file_.get(), LOCK_EX | LOCK_NB) != 0)
        return false;
    if (is_current() && std::rename(path_.c_str(), former_path_.c_str()) != 0) {
        ::flock(file_.get(), LOCK_UN);
        return false;
    }
    return open() == 0;
}

void stderr_file::append(std::string_view bytes) noexcept
{
    const std::lock_guard lock(mutex_);
    if (bytes.empty() || !make_room(bytes.size()))
        return;
    while (!bytes.empty()) {
        const ssize_t size = ::write(file_.get(), bytes.data(), bytes.size());
        if (size < 0 && errno == EINTR)
            continue;
        if (size <= 0)
            return;
        bytes.remove_prefix(static_cast<std::size_t>(size));
    }
}

void stderr_appender::append(std::string_view bytes)
{
    if (!file_)
        return;
    const std::size_t last = bytes.rfind('\n');
    if (last != std::string_view::npos) {
        if (unfinished_.empty()) {
            file_->append(bytes.substr(0, last + 1));
        } else {
            unfinished_.append(bytes.substr(0, last + 1));
            file_->append(unfinished_);
            unfinished_.clear();
        }
        bytes.remove_prefix(last + 1);
    }
    unfinished_.append(bytes);
    if (unfinished_.size() > max_line_bytes) {
        file_->append(unfinished_);
        unfinished_.clear();
    }
}

void stderr_appender::finish() noexcept
{
    if (unfinished_.empty())
        return;
    try {
        unfinished_ += '\n';
    } catch (const std::bad_alloc&) {
        // No memory for one byte more: the line must end all the same.
        unfinished_.back() = '\n';
    }
    file_->append(unfinished_);
    unfinished_.clear();
}

} // namespace mcp_pool::transport
