// SPDX-License-Identifier: BSL-1.0

// The kernels against the RFC's loop, at every level of the processor, in place and copying, on heap blocks of the
// exact size that begin and end anywhere. Input: key, phase, alignment, where to cut, how often to repeat, payload.
#include "purews/wire/masking.hpp"

#include "fuzz.hpp"
#include "support/hex.hpp"

using namespace purews;
using test::octets;

namespace {

// RFC 6455 5.3, and whether the result is ASCII.
struct expectation {
  octets masked;
  bool ascii = true;
};
expectation loop(octets const& data, masking_key key, std::size_t phase) {
  expectation result{data};
  for (std::size_t i = 0; i < data.size(); ++i) {
    result.masked[i] = data[i] ^ key.octets[(i + phase) % 4];
    if (result.masked[i] >= std::byte{0x80}) result.ascii = false;
  }
  return result;
}

bool same(bytes_view got, octets const& expected) { return octets(got.begin(), got.end()) == expected; }

void at_level(simd_level level, octets const& data, masking_key key, std::size_t phase, std::size_t shift,
              expectation const& expected) {
  std::uint32_t const word = mask_kernel::key_word(key, phase);
  // The end of the block is the end of the data; the shift is its alignment.
  test::exact_copy block(test::join(octets(shift, std::byte{0xA5}), data));
  bytes const in_place = block.view().subspan(shift);
  fuzz::check(mask_kernel::run_at(level, in_place.data(), in_place.data(), data.size(), word) == expected.ascii,
              "a kernel tells whether the result is ASCII");
  fuzz::check(same(in_place, expected.masked), "a kernel in place does what the loop does");
  fuzz::check(same(block.view().first(shift), octets(shift, std::byte{0xA5})), "nothing before the data is written");

  test::exact_copy const from(data);
  test::exact_copy to(shift + data.size());
  mask_kernel::run_at(level, to.view().data() + shift, from.view().data(), data.size(), word);
  fuzz::check(same(to.view().subspan(shift), expected.masked), "a kernel that copies does what the loop does");
  fuzz::check(same(from.view(), data), "a kernel that copies leaves its source alone");
}

}  // namespace

void fuzz::one_input(bytes_view in) {
  script choices(in);
  masking_key key;
  for (std::byte& octet : key.octets) octet = static_cast<std::byte>(choices.octet());
  std::size_t const phase = choices.octet();
  std::size_t const shift = choices.below(64);
  std::size_t const cut = choices.word();
  std::size_t const times = 1 + choices.below(4);
  octets const once(choices.rest().begin(), choices.rest().end());
  octets const data = test::repeated(times, once);
  expectation const expected = loop(data, key, phase);

  for (simd_level const level : {simd_level::portable, simd_level::baseline, simd_level::avx2})
    if (level <= best_simd_level()) at_level(level, data, key, phase, shift, expected);

  test::exact_copy whole(data);
  check(mask_is_ascii(whole.view(), key, phase) == expected.ascii, "mask_is_ascii tells whether all is ASCII");
  check(same(whole.view(), expected.masked), "mask_is_ascii does what the loop does");
  mask(whole.view(), key, phase);
  check(same(whole.view(), data), "masking twice changes nothing");

  std::size_t const first = data.empty() ? 0 : cut % (data.size() + 1);
  mask(whole.view().first(first), key, phase);
  mask(whole.view().subspan(first), key, phase + first);
  check(same(whole.view(), expected.masked), "two pieces, each with its phase, are the whole");
}
