// The words for launches that failed: what was tried, what is wrong, how to mend it.
#pragma once

#include "transport/transport.hpp"

#include <string>
#include <string_view>

namespace mcp_pool::transport {

// `text` in quotes, escaped and bounded: paths and interpreter lines may hold anything.
std::string in_quotes(std::string_view text);

// start_failed, permanent.
start_failure permanent_failure(std::string message);

start_failure missing_directory(std::string_view directory, int error);
start_failure missing_file(std::string_view command, std::string_view directory);
start_failure not_in_path(
    std::string_view command, std::string_view path_list, bool child_has_path);

} // namespace mcp_pool::transport
