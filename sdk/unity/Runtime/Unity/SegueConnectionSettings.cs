// SPDX-License-Identifier: Apache-2.0
using System;
using UnityEngine;

namespace Segue
{
    /// <summary>Where the server is. It holds no token: what is in a build can be read by whoever has it.</summary>
    [CreateAssetMenu(menuName = "Segue/Connection Settings", fileName = "SegueConnection")]
    public sealed class SegueConnectionSettings : ScriptableObject
    {
        [Tooltip("The server's gRPC-Web address, such as http://localhost:7471 or https://music.example.com.")]
        [SerializeField] private string address = "http://localhost:7471";

        /// <summary>The server's gRPC-Web address. Throws UriFormatException if it is none.</summary>
        public Uri Address
        {
            get
            {
                // "localhost:7471" is an address, too: of a scheme that is called localhost.
                if (Uri.TryCreate(address, UriKind.Absolute, out var found)
                    && (found.Scheme == Uri.UriSchemeHttp || found.Scheme == Uri.UriSchemeHttps)) return found;
                throw new UriFormatException("connection settings: expected an address such as http://localhost:7471, got \"" + address + "\"");
            }
        }

        /// <summary>Settings that are no asset, for players that are made by code.</summary>
        public static SegueConnectionSettings At(string address)
        {
            var made = CreateInstance<SegueConnectionSettings>();
            made.address = address;
            return made;
        }
    }
}
