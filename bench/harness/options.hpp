// The command line of mcp-pool-bench.
#pragma once

#include "load/workload.hpp"

#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace mcp_pool::bench {

// What the user got wrong; exit status 2.
class usage_error : public std::runtime_error
{
public:
    using std::runtime_error::runtime_error;
};

struct options
{
    workload work;
    std::vector<mode> modes{mode::pool, mode::locked, mode::spawn};
    std::size_t runs = 1;
    // Unset: the best of a few, tried shortly.
    std::optional<std::size_t> spawn_concurrency;
    // Empty: none.
    std::string json_file, report_file;
    bool demo = false;
    // What a reader must know to judge the numbers.
    std::string note;
    bool help = false, version = false;
};

// Errors: throws usage_error.
options parse_options(const std::vector<std::string>& arguments);

std::string help_text();

} // namespace mcp_pool::bench
