// SPDX-License-Identifier: BSL-1.0
// The client's side of the chat's formats. All say and hear what is in docs/chat.md, as its JSON.
import {fileURLToPath} from 'node:url';
import protobuf from 'protobufjs';

const schema = protobuf.loadSync(fileURLToPath(new URL('../../../examples/chat/chat.proto', import.meta.url)));
const Request = schema.lookupType('chat.v1.Request');
const Event = schema.lookupType('chat.v1.Event');

class Json {
  encode(request) { return [JSON.stringify(request)]; }
  decode(data) { return JSON.parse(data); }
}

const id = (number) => { const bytes = Buffer.alloc(4); bytes.writeUInt32BE(number); return bytes; };

/// Opens an id for each channel that is spoken of.
class Mux {
  opened = new Map();  // name -> id
  answers = [];        // of channel 0, which are no JSON

  encode({channel, ...request}) {
    if (channel === undefined) return [Buffer.concat([id(0), Buffer.from(JSON.stringify(request))])];
    const known = this.opened.get(channel);
    const number = known ?? this.opened.size + 1;
    this.opened.set(channel, number);
    const said = Buffer.concat([id(number), Buffer.from(JSON.stringify(request))]);
    return known ? [said] : [Mux.control(1, number, channel), said];
  }
  decode(data) {
    const number = data.readUInt32BE(0);
    if (number === 0 && data[4] !== 0x7B) return this.answers.push(data), {type: 'control'};
    const event = JSON.parse(data.subarray(4));
    if (number === 0) return event;
    const [channel] = [...this.opened].find(([, n]) => n === number);
    return {...event, channel};
  }
  static control(op, number, name = '') {
    return Buffer.concat([id(0), Buffer.from([op]), id(number), Buffer.from(name)]);
  }
}

const timed = ({timestamp, ...m}) => ({...m, time: timestamp});

class Proto {
  encode({type, ...fields}) { return [Request.encode(Request.create({[type]: fields})).finish()]; }
  decode(data) {
    const event = Event.toObject(Event.decode(data), {longs: Number});
    const [type] = Object.keys(event);
    let fields = event[type];
    if (type === 'message' || type === 'ack') fields = timed(fields);
    // A list without entries, and a 0 or false that says something, are not on the wire otherwise.
    if (type === 'history') fields = {...fields, messages: (fields.messages ?? []).map(timed)};
    return {type, ...fields};
  }
}

export const formats = {'chat.v1.json': Json, 'chat.v1.mux': Mux, 'chat.v1.proto': Proto};
export const makeFormat = (name = 'chat.v1.json') => new formats[name]();
export {Mux};
