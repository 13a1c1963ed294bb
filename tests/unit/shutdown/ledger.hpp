// What becomes of callbacks and coroutines that are called, or destroyed, or forgotten.
#pragma once

#include <utility>

namespace mcp_pool::test {

// Outlives everything that it keeps the books of. For one thread.
class ledger
{
public:
    // A handler that is counted: each is to be called once, or to be destroyed without.
    template <class F>
    class callback
    {
    public:
        callback(ledger& books, F f)
            : books_(&books)
            , call_(std::move(f))
        {
            ++books.begun_;
        }
        callback(callback&& other) noexcept
            : books_(std::exchange(other.books_, nullptr))
            , call_(std::move(other.call_))
        {}
        callback& operator=(callback&&) = delete;
        ~callback()
        {
            if (books_)
                ++books_->dropped_;
        }

        template <class... Results>
        void operator()(Results&&... results)
        {
            // Without books it has been called, or moved from, before.
            if (ledger* const books = std::exchange(books_, nullptr)) {
                ++books->called_;
                call_(std::forward<Results>(results)...);
            }
        }

    private:
        ledger* books_;
        F call_;
    };

    // A parameter of a coroutine: lives as long as its frame.
    class frame
    {
    public:
        explicit frame(ledger& books)
            : books_(&books)
        {
            ++books.frames_;
        }
        frame(frame&& other) noexcept
            : books_(other.books_)
        {
            ++books_->frames_;
        }
        frame& operator=(frame&&) = delete;
        ~frame() { --books_->frames_; }

    private:
        ledger* books_;
    };

    template <class F>
    callback<F> keep(F f)
    {
        return callback<F>(*this, std::move(f));
    }

    // Handlers made; called; destroyed uncalled. Frames that exist.
    [[nodiscard]] int begun() const noexcept { return begun_; }
    [[nodiscard]] int called() const noexcept { return called_; }
    [[nodiscard]] int dropped() const noexcept { return dropped_; }
    [[nodiscard]] int frames() const noexcept { return frames_; }

private:
    int begun_ = 0, called_ = 0, dropped_ = 0, frames_ = 0;
};

} // namespace mcp_pool::test
