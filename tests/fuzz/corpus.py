"""Where the fuzzers start from: the golden streams, and small inputs that touch each part of the grammars."""

from tests._fast import golden

_START = (
    b'data: {"type":"message_start","message":{"id":"m","model":"c","usage":{"input_tokens":1,'
    b'"cache_creation":{"ephemeral_1h_input_tokens":2}}}}\n\n'
)
_DELTA = (
    b'data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2,'
    b'"iterations":[{"type":"message","cache_creation":{"ephemeral_5m_input_tokens":1}}]}}\r\n\r\n'
)
_TEXT = (
    b"event: content_block_delta\n"
    b'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a\\n\xc3\xa9\\ud83d\\ude00"}}\n\n'
)
_ERROR = b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error"}}\n\n'

# The first byte chooses how the stream is cut (see fuzz_tap.check).
STREAMS = [b"\x00" + golden.content(entry) for entry in golden.ANTHROPIC]
STREAMS += [bytes((cut,)) + part for cut in (0, 1, 7) for part in (_START, _DELTA, _TEXT, _ERROR, _START + _TEXT + _DELTA)]
STREAMS += [b"\x03\xef\xbb\xbf: x\rid: 1\rretry:2\rdata:[DONE]\r\r", b'\x05data: {\ndata: "type":\ndata: "ping"}\n\n']

BODIES = [
    b'{"model":"m","max_tokens":5,"stream":true,"metadata":{"user_id":"{\\"a\\":1}"},"speed":"fast","service_tier":"auto"}',
    b'{"messages":[{"role":"user","content":[{"type":"text","text":"a","cache_control":{"type":"ephemeral","ttl":"1h"}}]}]}',
    b'{"tools":[{"input_schema":{"cache_control":{}}}],"cache_control":{"ttl":"5m"},"mod\\u0065l":"\\ud83d\\ude00\\/\\b\xc3\xa9\xf0\x9f\x98\x80"}',
    b'{"a":[-0.5e+3,0,12E-1,true,false,null,{},[]],"model":"x","model":"y"}',
    b" [1]",
    b"{}x",
    b"\xef\xbb\xbf{}",
]

# Long enough to be read in blocks of 64 bytes.
_LONG = ("x" * 30 + "\\n\\u00e9\\ud83d\\ude00\\\\" + "é字😀" * 12 + "y" * 70).encode()
STREAMS += [b"\x00" + _TEXT.replace(b"a", _LONG), b"\x07" + _TEXT.replace(b"a", _LONG * 2) + _DELTA]
BODIES += [b'{"messages":[{"role":"user","content":"%b"}],"model":"m"}' % (_LONG * 2), b'{"system":"\\u0041%b"}' % _LONG]

WEIGHED = [
    *BODIES,
    b'{"messages":[{"content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}}]}]}',
    b'{"messages":[{"content":[{"source":{"type":"base64","media_type":"application/pdf","data":"JVBE"}},{"input":{"a":[1]}}]}]}',
    b'{"messages":[{"content":[{"source":{"type":"content","content":[{"source":{"type":"url"}}]}},{"file_id":"f"}]}]}',
    b'{"messages":[{"content":[{"tool":{"definition":{"type":"advisor_20260301","max_uses":2,"max_tokens":2048}}}]}]}',
    b'{"tools":[{"type":"web_search_20260318","max_uses":8},{"input_schema":{"a":1}},{"type":"bash_20250124"},{"type":"custom"}]}',
    b'{"thread":{},"mcp_servers":[{}],"fallbacks":[{"speed":"fast"}],"context_management":{"edits":[{"type":"compact_20260112"}]}}',
    b'{"fallbacks":"default","compaction":{},"inference_geo":"us","thinking":{"budget_tokens":1e9},"max_tokens":5,"x":""}',
]
