// SPDX-License-Identifier: BSL-1.0
#include "chat/format.hpp"

#include "chat/words.hpp"

#include "chat_speaker.hpp"
#include "support/catch.hpp"

using namespace chat;
using namespace test;

namespace {

request read(format& by, std::string const& payload) {
  auto const in = by.read(payload);
  REQUIRE(in.asked);
  return *in.asked;
}

std::string code(format& by, std::string const& payload) {
  auto const what = read(by, payload);
  auto const* const wrong = std::get_if<fault>(&what);
  return wrong == nullptr ? "" : wrong->code;
}

/// The request that the server understands, after what the format needs to say it.
request say(format& server, speaker& client, json const& what) {
  auto const said = client.write(what);
  for (std::size_t i = 0; i + 1 < said.size(); ++i) CHECK_FALSE(server.read(said[i]).asked);
  return read(server, said.back());
}

std::string id(std::uint32_t number) { return mux_speaker::id_text(number); }
std::string opening(std::uint32_t number, std::string const& name) { return mux_speaker::control(1, number, name); }
std::string closing(std::uint32_t number) { return mux_speaker::control(2, number); }

}  // namespace

TEST_CASE("chat: who asks for no format, or for an unknown one, speaks JSON texts") {
  for (char const* const name : {"", "chat.v2.json", "chat.v1.json"}) {
    auto const by = make_format(name);
    CHECK_FALSE(by->is_binary());
    CHECK(by->write(pong{}) == R"({"type":"pong"})");
  }
}

TEST_CASE("chat: each format understands each request, and is understood in each event") {
  auto const kind = formats()[GENERATE(range<std::size_t>(0, formats().size()))];
  INFO(kind.subprotocol);
  auto const server = kind.make();
  auto const client = make_speaker(kind.subprotocol);
  auto const asked = [&](json const& what) { return say(*server, *client, what); };
  auto const joining = std::get<join>(
      asked({{"type", "join"}, {"channel", "c"}, {"user", "u"}, {"device", "d"}, {"epoch", "e"}, {"seq", number_max}}));
  CHECK(joining.channel == "c");
  CHECK(joining.user == "u");
  CHECK(joining.device == "d");
  CHECK(joining.epoch == "e");
  CHECK(joining.seq == number_max);
  CHECK(std::get<leave>(asked({{"type", "leave"}, {"channel", "c"}})).channel == "c");
  auto const said = std::get<message>(asked({{"type", "message"}, {"channel", "c"}, {"text", "t"}, {"id", "i"}}));
  CHECK(said.channel == "c");
  CHECK(said.text == "t");
  CHECK(said.id == "i");
  auto const page = std::get<history>(asked({{"type", "history"}, {"channel", "c"}, {"before", 7}, {"limit", 9}}));
  CHECK(page.channel == "c");
  CHECK(page.before == 7);
  CHECK(page.limit == 9);
  CHECK(std::get<history>(asked({{"type", "history"}, {"channel", "c"}, {"before", 7}})).limit == 50);
  CHECK(std::get<typing>(asked({{"type", "typing"}, {"channel", "c"}})).channel == "c");
  CHECK(std::get<authenticate>(asked({{"type", "auth"}, {"token", "a.b.c"}})).token == "a.b.c");
  CHECK(std::get<join>(asked({{"type", "join"}, {"channel", "c"}})).user.empty());
  CHECK(std::holds_alternative<ping>(asked({{"type", "ping"}})));

  using enum read_request::from;
  chat::page const found{"e", 5, {{"u", "i", "\"\n\xE2\x82\xAC", 4, 1}, {"v", "j", "", 5, number_max}}, true};
  event const events[] = {history_page{{newest, 0, "c", 0, 50}, found},
                          history_page{{after, 0, "c", 3, 300}, found},
                          history_page{{before, 0, "c", 6, 50}, found},
                          authenticated{"u", number_max},
                          reload{"c"},
                          delivery{"c", found.messages[0]},
                          ack{"c", "i", 4, 1},
                          presence{"c", {"u", "v"}, 130},
                          somebody_types{"c", "u"},
                          pong{},
                          fault{"bad_text", "no", "c", "i", 51}};
  json_speaker plain;
  for (auto const& each : events)
    CHECK(client->read(server->write(each)) == plain.read(make_format("chat.v1.json")->write(each)));
}

TEST_CASE("chat: what a request may say is the same in each format") {
  auto const kind = formats()[GENERATE(range<std::size_t>(0, formats().size()))];
  INFO(kind.subprotocol);
  auto const server = kind.make();
  auto const client = make_speaker(kind.subprotocol);
  struct {
    json what;
    char const* code;
  } const table[] = {
      {{{"type", "join"}, {"channel", "c"}, {"user", "a\nb"}}, "bad_name"},
      {{{"type", "join"}, {"channel", "c"}, {"user", std::string(65, 'u')}}, "bad_name"},
      {{{"type", "join"}, {"channel", "c"}, {"user", "u"}, {"device", " d"}}, "bad_name"},
      {{{"type", "join"}, {"channel", "c"}, {"user", "u"}, {"epoch", "e"}, {"seq", -1}}, "bad_message"},
      {{{"type", "join"}, {"channel", "c"}, {"user", "u"}, {"seq", 3}}, "bad_message"},
      {{{"type", "message"}, {"channel", "c"}, {"text", ""}}, "bad_text"},
      {{{"type", "message"}, {"channel", "c"}, {"text", std::string(16385, 't')}}, "bad_text"},
      {{{"type", "message"}, {"channel", "c"}, {"text", std::string("a\0b", 3)}}, "bad_text"},
      {{{"type", "message"}, {"channel", "c"}, {"text", "t"}, {"id", "\xE2\x80\xAE"}}, "bad_name"},
      {{{"type", "history"}, {"channel", "c"}, {"before", 7}, {"limit", 101}}, "bad_message"},
      {{{"type", "history"}, {"channel", "c"}, {"before", -7}}, "bad_message"},
      {{{"type", "shout"}}, "unknown_type"},
  };
  for (auto const& [what, expected] : table) {
    INFO(what.value("type", "") << " " << expected);
    auto const got = say(*server, *client, what);
    REQUIRE(std::holds_alternative<fault>(got));
    CHECK(std::get<fault>(got).code == expected);
  }
}

TEST_CASE("chat: mux: an id is opened and closed by the client, and said again by the server") {
  auto const mux = make_format("chat.v1.mux");
  CHECK(mux->is_binary());
  CHECK(code(*mux, id(7) + R"({"type":"leave"})") == "bad_message");  // not open yet
  auto const opened = mux->read(opening(7, "general"));
  CHECK_FALSE(opened.asked);
  CHECK(opened.reply == opening(7, "general"));
  CHECK(std::get<leave>(read(*mux, id(7) + R"({"type":"leave","channel":"ignored"})")).channel == "general");
  CHECK(mux->write(reload{"general"}) == id(7) + R"({"type":"reload"})");
  CHECK(mux->write(fault{"not_joined", "no", "general", {}}) ==
        id(7) + R"({"type":"error","code":"not_joined","message":"no"})");

  // Closing leaves the channel, if it is joined; what is still to be told of it names it.
  auto const closed = mux->read(closing(7));
  auto const left = std::get<leave>(closed.asked.value());
  CHECK(left.channel == "general");
  CHECK(left.if_joined);
  CHECK(closed.reply == closing(7));
  CHECK(code(*mux, id(7) + R"({"type":"leave"})") == "bad_message");
  CHECK(mux->write(ack{"general", "i", 4, 1}) ==
        id(0) + R"({"type":"ack","channel":"general","id":"i","seq":4,"time":1})");
  CHECK(mux->read(opening(7, "another")).reply == opening(7, "another"));
  CHECK(mux->read(opening(8, "general")).reply == opening(8, "general"));
}

TEST_CASE("chat: mux: channel 0 takes whole JSON texts as well, and ids are 32 bits, big-endian") {
  auto const mux = make_format("chat.v1.mux");
  CHECK(std::get<leave>(read(*mux, id(0) + R"({"type":"leave","channel":"x"})")).channel == "x");
  CHECK(mux->write(pong{}) == id(0) + R"({"type":"pong"})");
  CHECK(mux->write(reload{"x"}) == id(0) + R"({"type":"reload","channel":"x"})");
  mux->read(opening(0xFEDCBA98, "x"));
  CHECK(mux->write(reload{"x"}) ==
        "\xFE\xDC\xBA\x98"
        R"({"type":"reload"})");
}

TEST_CASE("chat: mux: connections with the same id for a channel get the same bytes, and others do not") {
  auto const one = make_format("chat.v1.mux"), two = make_format("chat.v1.mux");
  CHECK(one->way_of("x") == two->way_of("x"));
  one->read(opening(7, "x"));
  CHECK(one->way_of("x") != two->way_of("x"));
  two->read(opening(8, "x"));
  CHECK(one->way_of("x") != two->way_of("x"));
  two->read(closing(8)), two->read(opening(7, "x"));
  CHECK(one->way_of("x") == two->way_of("x"));
  CHECK(one->way_of("x") != make_format("chat.v1.json")->way_of("x"));
}

TEST_CASE("chat: mux: broken frames are error answers and change nothing", "[hazard-33]") {
  auto const mux = make_format("chat.v1.mux");
  mux->read(opening(7, "general"));
  for (std::string const& payload :
       {std::string(), std::string("\0\0\0", 3), id(0), id(0) + "\x03" + id(8) + "x", id(0) + "\x01\0\0\0",
        opening(0, "x"), opening(7, "x"), opening(8, "general"), id(0) + "\x02" + id(8), closing(7) + "general",
        id(0) + "[]", id(8) + R"({"type":"ping"})"})
    CHECK(code(*mux, payload) == "bad_message");
  for (std::string const name : {"", " x", "\xFF", "a\nb"}) CHECK(code(*mux, opening(8, name)) == "bad_name");
  CHECK(code(*mux, opening(8, std::string(65, 'x'))) == "bad_name");
  CHECK(code(*mux, id(7)) == "bad_json");
  CHECK(std::get<leave>(read(*mux, id(7) + R"({"type":"leave"})")).channel == "general");
}

TEST_CASE("chat: mux: a connection has at most 256 ids open") {
  auto const mux = make_format("chat.v1.mux");
  for (std::uint32_t i = 1; i <= 256; ++i) CHECK_FALSE(mux->read(opening(i, "c" + std::to_string(i))).asked);
  CHECK(code(*mux, opening(257, "one more")) == "too_many_channels");
  mux->read(closing(3));
  CHECK_FALSE(mux->read(opening(257, "one more")).asked);
}

#ifdef CHAT_PROTOBUF
TEST_CASE("chat: proto: the seed's ChatMessage has the seed's fields") {
  v1::Request request;
  REQUIRE(
      request.ParseFromString("\x1A\x06\x0A\x01"
                              "c"
                              "\x1A\x01"
                              "t"));
  CHECK(request.message().channel() == "c");
  CHECK(request.message().text() == "t");
  v1::Event event;
  REQUIRE(event.ParseFromString(make_format("chat.v1.proto")->write(delivery{"c", {"u", "i", "t", 5, 6}})));
  v1::ChatMessage m = event.message();
  m.clear_id(), m.clear_seq();
  CHECK(m.SerializeAsString() ==
        "\x0A\x01"
        "c"
        "\x12\x01"
        "u"
        "\x1A\x01"
        "t"
        "\x20\x06");
}

TEST_CASE("chat: proto: what is no Request is an error answer, and unknown fields are ignored", "[hazard-33]") {
  auto const proto = make_format("chat.v1.proto");
  CHECK(proto->is_binary());
  CHECK(code(*proto, "") == "unknown_type");
  CHECK(code(*proto, "\x82\x06\x01x") == "unknown_type");  // a field of a later version
  for (std::string const payload : {"{", "\x0A", "\x0A\x05x", "\x1A\x04\x0A\x02\xFF\xFE", "\xFF\xFF\xFF\xFF\xFF\xFF"})
    CHECK(code(*proto, payload) == "bad_message");
  std::string deep;
  for (int i = 0; i < 20000; ++i) deep += '\x83';  // groups without end
  CHECK(code(*proto, deep) == "bad_message");
  CHECK(std::holds_alternative<ping>(read(*proto, std::string("\x32\0\xA2\x06\x03xyz", 8))));
}
#endif
