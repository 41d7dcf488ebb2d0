-- wrk's part: orders of one body, each by a random account and with a key of its own.
-- Arguments: a file with a token a line, a file with the body, a mark that no other run has.
-- One thread only: each would count its keys from 1.

local tokens, mark, sent, body = {}, nil, 0, nil
local headers = { ["Content-Type"] = "application/json" }

function init(args)
    for token in io.lines(args[1]) do
        tokens[#tokens + 1] = "Bearer " .. token
    end
    local file = assert(io.open(args[2], "rb"))
    body = file:read("*a")
    file:close()
    mark = args[3]
    math.randomseed(os.time())
end

function request()
    sent = sent + 1
    headers["Authorization"] = tokens[math.random(#tokens)]
    headers["Idempotency-Key"] = mark .. "-" .. sent
    return wrk.format("POST", nil, headers, body)
end

-- The last line that is printed, for the program that started this one.
function done(summary, latency, requests)
    local errors = summary.errors
    io.write(string.format(
        '{"answers":%d,"duration_us":%d,"p50_us":%d,"p99_us":%d,"refused":%d,"broken":%d}\n',
        summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
        errors.status, errors.connect + errors.read + errors.write + errors.timeout
    ))
end
