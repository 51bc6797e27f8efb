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
        public Uri Address => new Uri(address, UriKind.Absolute);
    }
}
