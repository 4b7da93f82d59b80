// SPDX-License-Identifier: BSL-1.0

// The validator against a table: at every level of the processor, whole and in pieces, from heap blocks of their size.
// Input: how to cut it, and the text.
#include "purews/wire/utf8.hpp"

#include "fuzz.hpp"
#include "support/hex.hpp"
#include "utf8_model.hpp"

using namespace purews;

namespace {

// The level is one of feed_at, or feed itself.
enum class way : std::uint8_t { portable, baseline, avx2, dispatched };

bool feed(utf8_validator& validator, way how, bytes_view piece) {
  test::exact_copy const lent(piece);
  return how == way::dispatched ? validator.feed(lent.view())
                                : validator.feed_at(static_cast<simd_level>(how), lent.view());
}

// Feeds the text in pieces of `size` bytes after a first one of `first`.
void feed_pieces(way how, bytes_view text, std::size_t first, std::size_t size, fuzz::utf8_verdict expected) {
  utf8_validator validator;
  for (std::size_t at = 0, next = first; at < text.size(); next = size) {
    bytes_view const piece = text.subspan(at, next < text.size() - at ? next : text.size() - at);
    at += piece.size();
    // A failed text stays failed, whatever comes.
    fuzz::check(feed(validator, how, piece) == (at <= expected.good), "the first piece is refused that nothing mends");
  }
  fuzz::check(validator.finished() == expected.valid, "finished() means valid, and the end of a code point");
  validator.reset();
  fuzz::check(validator.finished(), "reset() begins a new text");
}

}  // namespace

void fuzz::one_input(bytes_view in) {
  script choices(in);
  unsigned const cut = choices.word();
  bytes_view const text = choices.rest();
  utf8_verdict const expected = utf8_model(text);
  check(is_valid_utf8(text) == expected.valid, "is_valid_utf8 is the table's verdict");
  for (way const how : {way::portable, way::baseline, way::avx2, way::dispatched}) {
    if (how != way::dispatched && static_cast<simd_level>(how) > best_simd_level()) continue;
    feed_pieces(how, text, text.size(), 1, expected);
    feed_pieces(how, text, text.empty() ? 0 : cut % text.size(), text.size(), expected);
    feed_pieces(how, text, cut % 13, 1 + cut % 67, expected);
    feed_pieces(how, text, 1, 1, expected);
  }
}
