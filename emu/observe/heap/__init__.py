"""Attribution of heap blocks to the calls that allocated them."""
