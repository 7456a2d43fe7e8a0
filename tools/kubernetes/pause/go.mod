module seckill.io/tools/pause

go 1.24
