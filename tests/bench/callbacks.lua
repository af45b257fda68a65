-- For wrk: sends each callback once. Arguments: path, number of the first payment, template file.

local path, number, parts

function init(arguments)
   path = arguments[1]
   number = tonumber(arguments[2])
   parts = {}
   for part in (io.open(arguments[3]):read("a") .. "@ID@"):gmatch("(.-)@ID@") do
      parts[#parts + 1] = part
   end
   wrk.headers["Content-Type"] = "application/json"
end

function request()
   local id = string.format("%08x-000f-5000-8000-000000000000", number)
   number = number + 1
   return wrk.format("POST", path, nil, table.concat(parts, id))
end
