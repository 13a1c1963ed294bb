// Code in the documentation and the files it is taken from.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace mcp_pool::house {

// Where Markdown and the sources disagree, one sentence each.
//
// A fenced block of C++ or CMake stands below a line `<!-- snippet: FILE NAME -->` and equals what
// stands between the lines that hold `[snippet: NAME]` and `[snippet end]` in FILE, without its
// common indentation. A relative link leads to something that exists.
std::vector<std::string> stale_snippets(
    const std::string& document, const std::string& markdown, const std::filesystem::path& top);

// The text between the marks; throws std::runtime_error if they are not there.
std::string snippet(const std::string& source, const std::string& name);

} // namespace mcp_pool::house
