-- wrk's part: one request over and over, by a random account if there are tokens.
-- Arguments: a file with a token a line, a file with a body, a mark that no other run has; `-` for none.
-- With a body it is posted, each time under a key of its own; without one the address is fetched.
-- One thread only: each would count its keys from 1.

local tokens, mark, sent, body, fetched = {}, nil, 0, nil, nil
local headers = {}

function init(args)
    if args[1] ~= "-" then
        for token in io.lines(args[1]) do
            tokens[#tokens + 1] = "Bearer " .. token
        end
    end
    if args[2] == "-" then
        if #tokens == 0 then
            fetched = wrk.format("GET")
        end
    else
        local file = assert(io.open(args[2], "rb"))
        body = file:read("*a")
        file:close()
        headers["Content-Type"] = "application/json"
    end
    mark = args[3]
    math.randomseed(os.time())
end

function request()
    if fetched then
        return fetched
    end
    headers["Authorization"] = tokens[math.random(#tokens)]
    if not body then
        return wrk.format("GET", nil, headers)
    end
    sent = sent + 1
    headers["Idempotency-Key"] = mark .. "-" .. sent
    return wrk.format("POST", nil, headers, body)
end

-- The last line that is printed, for the program that started this one.
function done(summary, latency, requests)
    local errors = summary.errors
    io.write(string.format(
        '{"answers":%d,"duration_us":%d,"p50_us":%d,"p99_us":%d,"refused":%d,"broken":%d,"bytes":%d}\n',
        summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
        errors.status, errors.connect + errors.read + errors.write + errors.timeout, summary.bytes
    ))
end
