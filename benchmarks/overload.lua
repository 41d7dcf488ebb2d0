-- wrk's part: orders as in requests.lua, by many more connections than can be served in time.
-- Arguments: a file with a token a line, a file with the body, a mark that no other run has, and how
-- many a second are to be sent: each has its instant, and whoever is free sends it; 0 for as many as
-- are answered.
-- Each answer is told apart by its X-Request-Id, so that those taken are timed without those refused.
-- One thread only: each would count its requests from 1.

local ffi = require("ffi")
ffi.cdef [[
    typedef struct { long seconds; long nanoseconds; } instant_t;
    int clock_gettime(int clock, instant_t *instant);
]]
local MONOTONIC = 1
local instant = ffi.new("instant_t")

local tokens, mark, sent, body, sent_at, threads = {}, nil, 0, nil, {}, {}
local rate, due, began_at = 0, 0, nil
local headers = { ["Content-Type"] = "application/json" }

local function now_ms()
    ffi.C.clock_gettime(MONOTONIC, instant)
    return tonumber(instant.seconds) * 1e3 + tonumber(instant.nanoseconds) / 1e6
end

function setup(thread)
    threads[#threads + 1] = thread
end

function init(args)
    for token in io.lines(args[1]) do
        tokens[#tokens + 1] = "Bearer " .. token
    end
    local file = assert(io.open(args[2], "rb"))
    body = file:read("*a")
    file:close()
    mark = args[3]
    rate = tonumber(args[4])
    math.randomseed(os.time())
    -- Globals: what `done` may ask a thread for. Answers by their time in whole milliseconds.
    taken, refused, wrong = {}, 0, 0
end

-- Milliseconds to wait before the next one.
function delay()
    if rate == 0 then
        return 0
    end
    began_at = began_at or now_ms()
    due = due + 1
    return math.max(0, math.floor(began_at + due * 1e3 / rate - now_ms()))
end

function request()
    sent = sent + 1
    headers["Authorization"] = tokens[math.random(#tokens)]
    headers["Idempotency-Key"] = mark .. "-" .. sent
    headers["X-Request-Id"] = tostring(sent)
    sent_at[sent] = now_ms()
    return wrk.format("POST", nil, headers, body)
end

function response(status, answered, _)
    local id = tonumber(answered["x-request-id"])
    local took_ms = math.floor(now_ms() - sent_at[id])
    sent_at[id] = nil
    if status == 200 then
        taken[took_ms] = (taken[took_ms] or 0) + 1
    elseif status == 503 and answered["retry-after"] then
        refused = refused + 1
    else
        wrong = wrong + 1
    end
end

-- The last line that is printed, for the program that started this one.
function done(summary, latency, requests)
    local times, pairs_of = threads[1]:get("taken"), {}
    for took_ms, answers in pairs(times) do
        pairs_of[#pairs_of + 1] = string.format("[%d,%d]", took_ms, answers)
    end
    local errors = summary.errors
    io.write(string.format(
        '{"taken":[%s],"refused":%d,"wrong":%d,"broken":%d,"duration_us":%d}\n',
        table.concat(pairs_of, ","), threads[1]:get("refused"), threads[1]:get("wrong"),
        errors.connect + errors.read + errors.write + errors.timeout, summary.duration
    ))
end
