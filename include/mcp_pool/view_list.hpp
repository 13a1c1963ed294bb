// A range of views over the entries of a JSON array that somebody else owns.
#pragma once

#include <mcp_pool/detail/namespaces.hpp>

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>

#include <cstddef>
#include <iterator>
#include <string_view>

namespace mcp_pool {

namespace detail {

// What is read where there is nothing: null, of static lifetime.
const json::value& no_value() noexcept;

template <class View>
struct view_of
{
    static View read(const json::value& raw) noexcept { return View(raw); }
};

// Entries that are no strings read as empty ones.
template <>
struct view_of<std::string_view>
{
    static std::string_view read(const json::value& raw) noexcept
    {
        const json::string* const text = raw.if_string();
        return text ? std::string_view(text->data(), text->size()) : std::string_view();
    }
};

} // namespace detail

// Entries of a list in a result, each read through a View that is made on the way. Entries of the
// wrong type are among them: their accessors read as empty, their raw() is what came.
//
// Lifetime: refers to the result that it was taken from; valid until that is destroyed, moved from or
// assigned to.
//
// Complexity: everything is constant, and nothing allocates.
template <class View>
class view_list
{
public:
    // Multi-pass; gives values, no references.
    class iterator
    {
    public:
        using iterator_concept = std::forward_iterator_tag;
        using iterator_category = std::input_iterator_tag;
        using value_type = View;
        using difference_type = std::ptrdiff_t;
        using reference = View;
        using pointer = void;

        iterator() = default;
        explicit iterator(const json::value* at) noexcept
            : at_(at)
        {}

        View operator*() const noexcept { return detail::view_of<View>::read(*at_); }
        iterator& operator++() noexcept
        {
            ++at_;
            return *this;
        }
        iterator operator++(int) noexcept
        {
            const iterator before = *this;
            ++at_;
            return before;
        }
        friend bool operator==(const iterator&, const iterator&) noexcept = default;

    private:
        const json::value* at_ = nullptr;
    };

    view_list() = default;
    explicit view_list(const json::array& entries) noexcept
        : first_(entries.data())
        , size_(entries.size())
    {}

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
    [[nodiscard]] iterator begin() const noexcept { return iterator(first_); }
    [[nodiscard]] iterator end() const noexcept { return iterator(first_ + size_); }
    // The entry with this number; past the end a view of nothing, whose accessors read as empty.
    [[nodiscard]] View operator[](std::size_t index) const noexcept
    {
        return detail::view_of<View>::read(index < size_ ? first_[index] : detail::no_value());
    }

private:
    const json::value* first_ = nullptr;
    std::size_t size_ = 0;
};

} // namespace mcp_pool
