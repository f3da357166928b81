-- The moving part of the edge: which backends a host has, in which state it is and which certificate it shows.
--
-- Everything here lives in nginx's shared memory and is replaced through a unix socket only the router may open, so a
-- deploy changes it between two requests without a reload. Records are plain text and parsed once per worker: the text
-- itself is the cache key, which makes a stale parse impossible.
local balancer = require "ngx.balancer"
local certificates = require "ngx.ssl"
local lrucache = require "resty.lrucache"

local hosts = ngx.shared.edge_hosts
local chains = ngx.shared.edge_certificates
local failures = ngx.shared.edge_failures
local counters = ngx.shared.edge_counters

local EJECTION_SECONDS = 3
local EXTRA_TRIES = 2
-- How long a backend has to accept a connection that is not its last chance: the kernel asks twice. One whose queue is
-- full drops what comes, and one that was stopped meanwhile never answers; the next try goes to who serves by then.
local FIRST_CONNECT_SECONDS = 1.5
local BUCKETS = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10}
-- Methods nginx does not repeat once the request was sent. They never travel on a kept-alive connection, which the
-- backend might be closing at that very moment.
local NOT_REPEATABLE = {POST = true, PATCH = true, LOCK = true}

local parsed = assert(lrucache.new(20000))
local loaded = assert(lrucache.new(2000))

local M = {}

-- MARK: table

local function parse(text)
    local state, app, https, certificate, backends = text:match("^(%S+) (%S+) (%S+) (%S+) (%S+)$")
    if not state then return nil end
    local record = {state = state, app = app, https = https, peers = {}, cursor = math.random(0, 1000)}
    if certificate ~= "-" then record.certificate = certificate end
    if backends ~= "-" then
        for key in backends:gmatch("[^,]+") do
            local address, port = key:match("^(.+):(%d+)$")
            if not address then return nil end
            record.peers[#record.peers + 1] = {key = key, address = address, port = tonumber(port)}
        end
    end
    return record
end

local function record_of(text)
    local record = parsed:get(text)
    if not record then
        record = parse(text)
        parsed:set(text, record)
    end
    return record
end

-- The record of a host name: its own, else the one of the wildcard above it.
local function find(host)
    if not host then return nil end
    local text = hosts:get(host)
    if not text then
        local parent = host:match("^[^.]+(%..+)$")
        text = parent and hosts:get("*" .. parent)
    end
    return text and record_of(text)
end

-- Reads one block: a whole table, or a change of the table with the tag `base`.
local function decode(text)
    local step = {hosts = {}, certificates = {}, gone = {}, dropped = {}}
    local count, ending = 0, nil
    for line in text:gmatch("[^\n]+") do
        local kind, name, rest = line:match("^(%S+) (%S+) ?(.*)$")
        count = count + 1
        if count == 1 then
            step.kind, step.version, step.tag, step.base = line:match("^(%l+) (%d+) (%x+) ?(%x*)$")
            step.version = tonumber(step.version)
        elseif kind == "host" then
            if not parse(rest) then return nil, "host record of " .. name .. " cannot be read" end
            step.hosts[name] = rest
        elseif kind == "certificate" then step.certificates[name] = rest
        elseif kind == "gone" then step.gone[#step.gone + 1] = name
        elseif kind == "dropped" then step.dropped[#step.dropped + 1] = name
        elseif kind == "end" then
            ending = tonumber(name)
            break
        else return nil, "line " .. count .. " is of an unknown kind" end
    end
    local isChange = step.kind == "change" and step.base ~= ""
    if not step.version or not isChange and step.kind ~= "table" then return nil, "the head is missing" end
    if ending ~= count then return nil, "the table is incomplete" end
    return step
end

local function store(dictionary, values)
    for key, value in pairs(values) do
        if dictionary:get(key) ~= value then
            local stored, problem = dictionary:safe_set(key, value)
            if not stored then return nil, problem end
        end
    end
    return true
end

local function forget(dictionary, values)
    for _, key in ipairs(dictionary:get_keys(0)) do
        if not values[key] then dictionary:delete(key) end
    end
    dictionary:flush_expired()
end

-- Takes one block. New certificates come before the hosts that use them, old ones go last. While it is under way, and
-- after a failure in the middle, the table has no tag: the next change is then refused and the whole table sent.
function M.apply(text)
    local step, problem = decode(text)
    if not step then return nil, problem end
    if step.kind == "change" and counters:get("tag") ~= step.base then return nil, "out of step", true end
    counters:set("tag", "")
    local stored
    stored, problem = store(chains, step.certificates)
    if not stored then return nil, "certificates: " .. problem end
    stored, problem = store(hosts, step.hosts)
    if not stored then return nil, "hosts: " .. problem end
    if step.kind == "table" then
        forget(hosts, step.hosts)
        forget(chains, step.certificates)
    else
        for _, name in ipairs(step.gone) do hosts:delete(name) end
        for _, id in ipairs(step.dropped) do chains:delete(id) end
    end
    counters:set("version", step.version)
    counters:set("tag", step.tag)
    return step.version
end

-- Runs in the master before it opens a listener: the first request already finds the table. The file holds a whole
-- table and the changes since; a last one that was cut off is left out. A reload finds the table in place.
function M.start(path)
    if counters:get("tag") then return end
    local file = io.open(path, "r")
    if not file then return end
    local text = file:read("*a")
    file:close()
    for block in text:gmatch(".-\nend %d+\n") do
        local version, problem = M.apply(block)
        if not version then return ngx.log(ngx.ERR, "the stored routing table was not loaded: ", problem) end
    end
end

-- MARK: pages

local PAGES = {
    no_app = {404, "No such app", "There is no app at this address. Check the name, or the app's domains."},
    not_found = {404, "Not found", "There is nothing at this address."},
    no_process = {503, "App is not running", "The app has no running process. Scale it up or deploy a release.", 10},
    maintenance = {503, "Down for maintenance", "This app is being worked on and will be back shortly.", 300},
    too_large = {413, "Request too large", "The request body is larger than this platform accepts."},
    large_headers = {431, "Request headers too large", "Clear the cookies of this site and try again."},
    failed = {502, "App did not answer", "The app's process closed the connection or could not be reached.", 5},
    timeout = {504, "App took too long", "The app did not answer in time.", 5},
    platform = {502, "Platform service unavailable", "A service of the platform is starting or down. Try again.", 2},
}

local HTML = [[<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>%s</title><style>body{font:16px/1.5 system-ui,sans-serif;margin:15vh auto;max-width:34rem;padding:0 1rem}
h1{font-size:1.4rem}small{color:#666}</style></head>
<body><h1>%s</h1><p>%s</p><p><small>%d &middot; error id %s</small></p></body></html>
]]

-- Answers with one of the pages above, as HTML to who asks for it and as text to everybody else.
function M.page(reason)
    local status, title, text, retry = unpack(PAGES[reason])
    ngx.var.edge_reason = reason
    ngx.status = status
    ngx.header["Cache-Control"] = "no-store"
    if retry then ngx.header["Retry-After"] = retry end
    local id = ngx.var.request_id
    if (ngx.var.http_accept or ""):find("text/html", 1, true) then
        ngx.header["Content-Type"] = "text/html; charset=utf-8"
        ngx.print(HTML:format(title, title, text, status, id))
    else
        ngx.header["Content-Type"] = "text/plain; charset=utf-8"
        ngx.print(title, ". ", text, "\nerror id ", id, "\n")
    end
    return ngx.exit(status)
end

function M.failed()
    if ngx.var.edge_app == "platform" then return M.page("platform") end
    return M.page(ngx.status == 504 and "timeout" or "failed")
end

-- MARK: requests

-- The Host a backend sees: what the client sent when it names the host that was routed, else the routed host. An
-- absolute request line would otherwise select one app and tell it the name of another.
local function set_host()
    local host, sent = ngx.var.host, ngx.var.http_host
    if not sent or sent:lower():gsub(":%d+$", "") ~= host then sent = host end
    ngx.var.edge_host = sent
end

-- Websockets are the only upgrade passed on: through h2c a client could reach paths this edge does not let through.
local function set_upgrade()
    if (ngx.var.http_upgrade or ""):lower() ~= "websocket" then return false end
    ngx.var.edge_connection = "upgrade"
    ngx.var.edge_upgrade = "websocket"
    return true
end

local function redirect(scheme, port, default)
    local authority = ngx.var.host
    if port ~= default then authority = authority .. ":" .. port end
    ngx.var.edge_reason = "redirect"
    return ngx.redirect(scheme .. "://" .. authority .. ngx.var.request_uri, 301)
end

-- Decides about a request for an app: refuse with a page, redirect to https or hand it to a backend.
function M.route(https_port)
    local host = ngx.var.host
    local record = find(host)
    if not record then
        if ngx.var.uri == "/healthz" then
            ngx.var.edge_reason = "health"
            ngx.header["Content-Type"] = "text/plain"
            ngx.print("OK\n")
            return ngx.exit(200)
        end
        return M.page("no_app")
    end
    ngx.var.edge_app = record.app
    if record.state == "maintenance" then return M.page("maintenance") end
    if record.state ~= "serving" or #record.peers == 0 then return M.page("no_process") end
    if record.https == "enforced" and ngx.var.scheme == "http" and https_port then
        return redirect("https", https_port, 443)
    end
    if set_upgrade() then return set_host() end
    if NOT_REPEATABLE[ngx.req.get_method()] then
        ngx.var.edge_connection = "close"
    else
        ngx.var.edge_pool = "edge_kept"
        ngx.var.edge_connection = ""
    end
    set_host()
end

function M.platform()
    set_upgrade()
    set_host()
end

-- The next backend in turn that this request has not tried: one that did not fail a moment ago, else any.
local function pick(record, tried)
    local peers = record.peers
    local count = #peers
    local fallback
    for _ = 1, count do
        record.cursor = record.cursor % count + 1
        local peer = peers[record.cursor]
        if not tried.keys[peer.key] then
            if not failures:get(peer.key) then return peer end
            fallback = fallback or peer
        end
    end
    return fallback
end

-- Chooses the backend. The record is read again for every try, so a retry follows a switch that happened meanwhile; where
-- there is no other backend it asks the same one again.
function M.balance(connect_seconds)
    local context = ngx.ctx
    local tried = context.edge_tried
    local record = find(ngx.var.host)
    if tried then
        if balancer.get_last_failure() then
            failures:set(context.edge_peer.key, true, EJECTION_SECONDS)
            counters:incr("failed_tries", 1, 0)
        end
    else
        tried = {count = 0, keys = {}}
        context.edge_tried = tried
        balancer.set_more_tries(EXTRA_TRIES)
    end
    -- The backend of the last try is better than none: nginx answers 500 when a try finds no backend.
    local peer = record and (pick(record, tried) or record.peers[1]) or context.edge_peer
    if not peer then return ngx.exit(502) end
    tried.count = tried.count + 1
    tried.keys[peer.key] = true
    context.edge_peer = peer
    local seconds = tried.count > EXTRA_TRIES and connect_seconds or math.min(FIRST_CONNECT_SECONDS, connect_seconds)
    local chosen, problem = balancer.set_timeouts(seconds)
    if chosen then chosen, problem = balancer.set_current_peer(peer.address, peer.port) end
    if not chosen then
        ngx.log(ngx.ERR, "backend ", peer.key, " cannot be used: ", problem)
        return ngx.exit(502)
    end
end

-- MARK: certificates

local function pair_of(id)
    local text = chains:get(id)
    if not text then return nil, "it is not in the table" end
    local pair = loaded:get(text)
    if pair then return pair end
    local chain, key = text:match("^(%S+) (%S+)$")
    if not chain then return nil, "it cannot be read" end
    local problem
    pair = {}
    pair.chain, problem = certificates.parse_pem_cert(ngx.decode_base64(chain))
    if not pair.chain then return nil, problem end
    pair.key, problem = certificates.parse_pem_priv_key(ngx.decode_base64(key))
    if not pair.key then return nil, problem end
    loaded:set(text, pair)
    return pair
end

-- Shows the certificate of the host the client asks for. One that cannot be used leaves the default in place, so it
-- harms its own host only.
function M.certificate()
    local name = certificates.server_name()
    local record = name and find(name:lower())
    if not record or not record.certificate then return end
    local pair, problem = pair_of(record.certificate)
    if not pair then
        ngx.log(ngx.ERR, "certificate ", record.certificate, " is not used: ", problem)
        return
    end
    certificates.clear_certs()
    certificates.set_cert(pair.chain)
    certificates.set_priv_key(pair.key)
end

-- MARK: counting and control

function M.count(kind)
    local class = math.floor(ngx.status / 100)
    local reason = ngx.var.edge_reason
    if reason and reason ~= "" then counters:incr("refused " .. reason, 1, 0) end
    counters:incr("requests " .. kind .. " " .. class .. "xx", 1, 0)
    local seconds = tonumber(ngx.var.request_time) or 0
    for _, bound in ipairs(BUCKETS) do
        if seconds <= bound then
            counters:incr("bucket " .. kind .. " " .. bound, 1, 0)
            break
        end
    end
    counters:incr("seconds " .. kind, seconds, 0)
end

local function histogram(out, kind, total)
    local running = 0
    for _, bound in ipairs(BUCKETS) do
        running = running + (counters:get("bucket " .. kind .. " " .. bound) or 0)
        out[#out + 1] = ('router_request_duration_seconds_bucket{kind="%s",le="%s"} %d'):format(kind, bound, running)
    end
    out[#out + 1] = ('router_request_duration_seconds_bucket{kind="%s",le="+Inf"} %d'):format(kind, total)
    out[#out + 1] = ('router_request_duration_seconds_sum{kind="%s"} %.3f'):format(kind, counters:get("seconds " .. kind) or 0)
    out[#out + 1] = ('router_request_duration_seconds_count{kind="%s"} %d'):format(kind, total)
end

-- Writes the counters in the scraper's text format.
function M.metrics()
    local out = {"# TYPE router_requests_total counter"}
    local totals = {app = 0, platform = 0}
    for kind in pairs(totals) do
        for class = 1, 5 do
            local value = counters:get("requests " .. kind .. " " .. class .. "xx") or 0
            totals[kind] = totals[kind] + value
            out[#out + 1] = ('router_requests_total{kind="%s",code="%dxx"} %d'):format(kind, class, value)
        end
    end
    out[#out + 1] = "# TYPE router_refused_total counter"
    for reason in pairs(PAGES) do
        out[#out + 1] = ('router_refused_total{reason="%s"} %d'):format(reason, counters:get("refused " .. reason) or 0)
    end
    out[#out + 1] = "# TYPE router_failed_tries_total counter"
    out[#out + 1] = "router_failed_tries_total " .. (counters:get("failed_tries") or 0)
    out[#out + 1] = "# TYPE router_table_version gauge"
    out[#out + 1] = "router_table_version " .. (counters:get("version") or 0)
    out[#out + 1] = "# TYPE router_connections gauge"
    for _, state in ipairs({"active", "reading", "writing", "waiting"}) do
        out[#out + 1] = ('router_connections{state="%s"} %s'):format(state, ngx.var["connections_" .. state])
    end
    out[#out + 1] = "# TYPE router_request_duration_seconds histogram"
    for kind, total in pairs(totals) do histogram(out, kind, total) end
    ngx.print(table.concat(out, "\n"), "\n")
end

-- PUT replaces the table, PATCH changes some of it; both answer with its version. GET answers with the version and the
-- tag that are live.
function M.table()
    local method = ngx.req.get_method()
    if method ~= "PUT" and method ~= "PATCH" then
        return ngx.print(counters:get("version") or 0, " ", counters:get("tag") or "")
    end
    ngx.req.read_body()
    local body = ngx.req.get_body_data()
    if not body then
        ngx.status = 400
        return ngx.print("the table is empty or larger than the control buffer")
    end
    local version, problem, isOutOfStep = M.apply(body)
    if not version then
        ngx.status = isOutOfStep and 409 or 422
        return ngx.print(problem)
    end
    ngx.print(version)
end

return M
