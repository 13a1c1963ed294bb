// Boost.JSON, compiled in: linking it as a shared library would double the time to start.
#include <boost/json/src.hpp>
