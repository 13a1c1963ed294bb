// How long the pool's mutex is held while many waiters expire.
#pragma once

#include <cstddef>
#include <vector>

namespace mcp_pool::bench {

// Microseconds of each hold while `waiters` expire that have been put into the queue with random
// deadlines: what pool_state::run() and settle() do under the mutex, done with the core itself. CPU
// time: a thread that is descheduled in there holds the mutex for longer, whatever it does.
std::vector<double> times_of_holds(std::size_t waiters);

} // namespace mcp_pool::bench
